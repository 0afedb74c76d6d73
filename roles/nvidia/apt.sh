# The driver from apt's repositories. POSIX sh, after build.sh and the shared apt functions.
# shellcheck disable=SC2154  # the caller sets modules, locked, beside, prefix, removed

said=
resolve() { # the set as apt names it, all of one version
    specs=$beside
    module_specs=$modules
    if [ -z "$prefix" ]; then
        specs="$modules $locked $beside"
        return
    fi
    first=${modules%% *}
    found=$(apt-cache madison "$first" | awk -F'|' -v wanted="$prefix" '
        { gsub(/ /, "", $2); bare = $2; sub(/^[0-9]+:/, "", bare) }
        index(bare, wanted) == 1 { print bare; exit }')
    # What could not be fetched may be there at the next run: the index is read again then.
    [ -n "$found" ] || rm -f "$stamp"
    [ -n "$found" ] || refuse "there is no $first of version $prefix* in the repositories: they \
have $(apt-cache madison "$first" | cut -d'|' -f2 | tr -s '\n ' ' ' | cut -c1-200 | grep . ||
        echo none); $(printf '%s' "$said" | grep -m 1 -E '^[WE]: ' || echo 'declare one of these')"
    module_specs=
    for name in $modules; do module_specs="$module_specs $name=${found%%-*}*"; done
    specs="$module_specs $beside"
    for name in $locked; do specs="$specs $name=${found%%-*}*"; done
}

wanted() { # arguments that install the set and remove what cannot stay
    set -- $specs
    for name in $removed; do set -- "$@" "$name-"; done
    printf '%s\n' "$@"
}
options='--no-install-recommends --allow-downgrades --allow-change-held-packages'

prepare() { # PACKAGE...: the compiler and the headers
    [ $# != 0 ] || return 0
    # shellcheck disable=SC2086
    apt install --no-install-recommends "$@" >"$log" 2>&1 || refuse "the driver cannot be built: \
$(grep -m 3 '^E: ' "$log" | tr '\n' ' ')a kernel without headers in the repositories must go first"
}

trial() { # PACKAGE...: nothing but headers and DKMS is installed by this
    scratch
    refresh
    prepare "$@"
    resolve
    # shellcheck disable=SC2046,SC2086
    apt -s install $options $(wanted) >"$log" 2>&1 || refuse "the packages cannot be installed \
together: $(grep -E '^ |^E: ' "$log" | tr -s '\n ' ' ' | cut -c1-600)"
    # shellcheck disable=SC2046,SC2086
    apt --download-only install $options $(wanted) >"$log" 2>&1 ||
        refuse "the packages cannot be had: $(grep -m 2 '^E: ' "$log" | tr '\n' ' ')"
    [ "$builds" = yes ] || return 0
    mkdir "$work/debs" && cd "$work/debs" || refuse "$work cannot be written"
    # shellcheck disable=SC2086
    apt-get -q download $module_specs >"$log" 2>&1 || refuse "the source cannot be had: $(said 2)"
    for deb in ./*.deb; do dpkg-deb -x "$deb" "$work/tree"; done
    cd /
    trial_dkms
}

replace() {
    scratch
    resolve
    # shellcheck disable=SC2046,SC2086
    apt install $options $(wanted) >"$log" 2>&1 || {
        broken=$(dpkg -l | awk '$1 ~ /^.[UFHW]/ { print $2 }' | tr '\n' ' ')
        broken_off "apt did not finish the driver: $(grep -m 3 -E '^E: |rror' "$log" |
            tr -s '\n ' ' ' | cut -c1-500); unfinished packages: ${broken:-none}; put the cause \
right, then run \`dpkg --configure -a\` and converge again"
    }
    [ "$builds" = no ] || install_dkms
    # shellcheck disable=SC2086
    [ -z "$held" ] || apt-mark hold $held >/dev/null
    rm -rf "$memory"
}
