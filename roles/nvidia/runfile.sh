# The driver by NVIDIA's installer. POSIX sh, after build.sh.
# shellcheck disable=SC2154  # the caller sets url, sha256, flavour, version, and the rest

installer=/var/cache/flightline/NVIDIA-Linux-$version.run

fetch() {
    mkdir -p "${installer%/*}" || refuse "${installer%/*} cannot be written"
    if ! is_the_one "$installer"; then
        rm -f "$installer"
        case $url in
            file://*) cp "${url#file://}" "$installer" ;;
            *) curl -fsSL -o "$installer" "$url" || /usr/lib/apt/apt-helper download-file "$url" "$installer" ;;
        esac >"$log" 2>&1 || refuse "$url cannot be had: $(said 2)"
    fi
    is_the_one "$installer" && return
    is=$(sha256sum "$installer" | cut -d' ' -f1)
    rm -f "$installer"
    refuse "$url has sha256 $is, expected $sha256 (NvidiaSettings.runfile)"
}
is_the_one() { echo "$sha256  $1" | sha256sum -c --status 2>/dev/null; }

trial() { # PACKAGE...
    scratch
    if [ $# != 0 ]; then
        refresh
        apt install --no-install-recommends "$@" >"$log" 2>&1 ||
            refuse "the driver cannot be built: $(said 3)"
    fi
    fetch
    sh "$installer" --extract-only --target "$work/files" >"$log" 2>&1 ||
        refuse "the installer does not unpack: $(said 2)"
    case $(cat "$work/files/.manifest" 2>/dev/null | sed -n 2p) in
        "$version") ;;
        *) refuse "the installer is not of version $version (NvidiaSettings.version)" ;;
    esac
    source=$work/files/kernel
    [ "$flavour" = proprietary ] || source=$source-open
    for kernel in $kernels; do
        make -C "$source" -j "$(nproc)" modules KERNEL_UNAME="$kernel" >"$log" 2>&1 ||
            refuse "the driver $version does not build on kernel $kernel: $(first_error "$log")"
        make -C "$source" clean KERNEL_UNAME="$kernel" >/dev/null 2>&1
    done
}

replace() {
    scratch
    fetch
    sh "$installer" --silent --dkms --kernel-module-type="$flavour" >"$log" 2>&1 || {
        broken_off "the installer did not finish: $(said); see /var/log/nvidia-installer.log, put \
the cause right, then converge again"
    }
    install_dkms
}
