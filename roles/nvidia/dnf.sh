# The driver from NVIDIA's repository on the RHEL family. POSIX sh, after build.sh.
# shellcheck disable=SC2154,SC2086  # the caller sets the names; they are lists of plain words

# Our own locks of the driver in place would hide every other version.
unlocked=--disableplugin=versionlock
resolve() {
    first=${modules%% *}
    dnf -q -y module reset nvidia-driver >"$log" 2>&1
    dnf -q -y module enable "nvidia-driver:$stream" >"$log" 2>&1 ||
        refuse "dnf has no module stream nvidia-driver:$stream: $(said 2)"
    found=$(dnf -q $unlocked repoquery --latest-limit 1 --qf '%{version}' "$first-$prefix*" 2>"$log")
    [ -n "$found" ] || refuse "there is no $first of version $prefix* in the repositories"
    specs=$beside module_specs=
    for name in $modules; do module_specs="$module_specs $name-$found"; done
    for name in $locked; do specs="$specs $name-$found"; done
    specs="$module_specs $specs"
}

trial() { # PACKAGE...
    scratch
    before=$(dnf -q module list --enabled nvidia-driver 2>/dev/null | awk '$1 == "nvidia-driver" { print $2 }')
    [ $# = 0 ] || dnf -y install "$@" >"$log" 2>&1 ||
        refuse "the driver cannot be built, DKMS is in EPEL: $(said 3)"
    if ! (resolve && checked); then
        dnf -q -y module reset nvidia-driver >/dev/null 2>&1
        [ -z "$before" ] || dnf -q -y module enable "nvidia-driver:$before" >/dev/null 2>&1
        exit 1
    fi
}
checked() {
    dnf -y $unlocked --setopt=tsflags=test --allowerasing install $specs >"$log" 2>&1 ||
        refuse "the packages cannot be installed together: $(said)"
    dnf -q download --destdir "$work/rpms" $unlocked $module_specs >"$log" 2>&1 ||
        refuse "the source cannot be had: $(said 2)"
    mkdir -p "$work/tree"
    for rpm in "$work"/rpms/*.rpm; do (cd "$work/tree" && rpm2cpio "$rpm" | cpio -idm --quiet); done
    trial_dkms
}

replace() {
    scratch
    resolve
    dnf -y $unlocked --allowerasing install $specs >"$log" 2>&1 || {
        broken_off "dnf did not finish the driver: $(said); put the cause right, then converge again"
    }
    install_dkms
    rm -rf "$memory"
    [ -z "$held" ] && return
    rpm -q python3-dnf-plugin-versionlock >/dev/null || dnf -y install python3-dnf-plugin-versionlock
    dnf -q -y versionlock delete $held >"$log" 2>&1 # an older lock beside a new one allows both
    dnf -y versionlock add $held
} 
