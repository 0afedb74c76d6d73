# Building and replacing a driver, shared by all sources. POSIX sh, run as root.
# shellcheck disable=SC2154  # the caller sets kept, kernels, sources, memory, replacing, stopped, drained
LC_ALL=C
export LC_ALL
umask 022

said() { # the last lines of the log, as one line
    tail -n "${1:-6}" "$log" | tr -cd '\012\040-\176' | tr -s '\n ' ' '
}
# Of a repository that did not lead to a driver nothing stays: its pins could move packages later.
sources_back() {
    [ -e "$memory/whole" ] || return 0
    for file in $sources; do
        if [ -e "$memory/${file##*/}" ]; then cp -a "$memory/${file##*/}" "$file"; else rm -f "$file"; fi
    done
    rm -rf "$memory"
}
left() { # after a replacement that failed: what is on disk is loaded again, and the rest is said
    modprobe nvidia 2>/dev/null && modprobe nvidia_uvm 2>/dev/null
    # shellcheck disable=SC2086
    [ -z "$stopped" ] || systemctl start -- $stopped 2>/dev/null
    now=$(cat /sys/module/nvidia/version 2>/dev/null)
    if [ -n "$now" ]; then now="driver $now is loaded"; else now='no driver is loaded'; fi
    printf 'the node had %s; now %s' "$kept" "$now"
    [ -z "$drained" ] || printf '; it is still drained'
}
refuse() { # SENTENCE: nothing of the driver was replaced
    sources_back
    if [ "$replacing" = yes ]; then broken_off "$1"; fi
    printf '%s; the node keeps %s.\n' "$(ended "$1")" "$kept" >&2
    exit 1
}
broken_off() { # SENTENCE: in the middle of a replacement
    printf '%s; %s.\n' "$(ended "$1")" "$(left)" >&2
    exit 1
}
ended() { printf '%s' "$1" | sed 's/[. ]*$//'; } # without its own full stop
scratch() {
    work=$(mktemp -d /var/tmp/flightline-nvidia.XXXXXX) || refuse "/var/tmp cannot be written"
    log=$work/log
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
}
first_error() { # LOG: the compiler's first complaint, or the last line
    line=$(grep -m 1 -E '(fatal )?error:|: undefined|modpost: .*ERROR|^ERROR|No space left' "$1")
    [ -n "$line" ] || line=$(grep -v '^[[:space:]]*$' "$1" | tail -n 1)
    printf '%s' "$line" | tr -cd '\040-\176' | sed "s|$work/[^ ]*/build/||g" | cut -c1-300
}

built() { # FOLDER
    [ -n "$(find "$1" '(' -name 'nvidia.ko*' -o -name 'nvidia-current.ko*' ')' 2>/dev/null)" ]
}
modules_root=${FLIGHTLINE_MODULES:-/lib/modules}

# The modules of the source under $work/tree/usr/src are built for every kernel, away from DKMS's
# own tree and from /lib/modules.
trial_dkms() {
    conf=$(find "$work"/tree/usr/src -maxdepth 2 -name dkms.conf | head -n 1)
    [ -n "$conf" ] || refuse "the packages have no source of the kernel modules"
    folder=$(basename "$(dirname "$conf")")
    name=${folder%-*} version=${folder##*-}
    set -- -m "$name" -v "$version" --dkmstree "$work/dkms" --sourcetree "$work/tree/usr/src"
    mkdir -p "$work/dkms"
    dkms add "$@" >"$log" 2>&1 || refuse "DKMS does not take the driver $version: $(said 2)"
    for kernel in $kernels; do
        # Modules, not an exit status, are the proof: a kernel that the source excludes is skipped.
        dkms build "$@" -k "$kernel" >"$log" 2>&1
        built "$work/dkms/$name/$version/$kernel" && continue
        made=$(find "$work/dkms" -name make.log | head -n 1)
        refuse "the driver $version does not build on kernel $kernel: $(first_error "${made:-$log}")"
    done
}

install_dkms() { # what a package's own script may have left out: it builds for two kernels at most
    for kernel in $kernels; do
        dkms autoinstall -k "$kernel" >"$log" 2>&1
        built "$modules_root/$kernel" && continue
        printf 'the driver is installed, but not built for kernel %s: %s\n' "$kernel" "$(said)" >&2
        exit 1
    done
}
