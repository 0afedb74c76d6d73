# What a node is, as key=value lines in ASCII; keys may repeat. POSIX sh, read-only.
LC_ALL=C
export LC_ALL
say() { printf '%s=%s\n' "$1" "$2"; }
first_line() { line=; { read -r line < "$1"; } 2>/dev/null; say "$2" "$line"; }
present() { if [ -e "$1" ]; then say "$2" yes; else say "$2" no; fi; }

system() {
    (
        # shellcheck disable=SC1091  # the node's own file
        [ -r /etc/os-release ] && . /etc/os-release
        say distribution "${ID:-}"
        say version "${VERSION_ID:-}"
        say codename "${VERSION_CODENAME:-}"
    )
    say uid "$(id -u)"
    say architecture "$(uname -m)"
    say kernel "$(uname -r)"
    first_line /proc/sys/kernel/random/boot_id boot_id
    present /run/systemd/system has_systemd
}

hardware() {
    say virtualization "$(systemd-detect-virt 2>/dev/null)"
    first_line /sys/class/dmi/id/product_name product_name
    first_line /sys/devices/soc0/soc_id soc_id
    say cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c '^processor' /proc/cpuinfo)"
    say memory "$(grep '^MemTotal' /proc/meminfo)"
    for node in /sys/devices/system/node/node[0-9]*/meminfo; do
        [ -r "$node" ] && say numa "$(grep 'MemTotal' "$node")"
    done
    present /sys/devices/system/cpu/cpu0/cpufreq has_cpufreq
    present /sys/firmware/efi is_uefi
}

room() {
    for mount in / /boot /var; do
        [ -d "$mount" ] && say free "$mount $(df -Pk "$mount" | tail -n 1)"
    done
    while read -r _ mount _ options _; do
        [ "$mount" = / ] && root=$options # the last entry is the one in effect
    done < /proc/mounts
    say root_options "${root:-}"
}

route() {
    if grep -Eq '^[^[:space:]]+[[:space:]]+00000000[[:space:]]' /proc/net/route 2>/dev/null ||
        grep -E '^0{32} 00 ' /proc/net/ipv6_route 2>/dev/null | grep -vq ' lo$'; then
        say has_default_route yes
    else
        say has_default_route no
    fi
}

holders() { # of the package managers' locks: /proc/locks names them by inode, without fuser
    for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock \
        /var/cache/apt/archives/lock /var/lib/rpm/.rpm.lock; do
        inode=$(stat -c %i "$lock" 2>/dev/null) || continue
        while read -r _ _ _ _ pid where _; do
            case $where in
            *:"$inode")
                program=
                { read -r program < "/proc/$pid/comm"; } 2>/dev/null
                say lock_holder "$pid $program"
                ;;
            esac
        done < /proc/locks
    done
}

packages() {
    command -v dpkg-query > /dev/null || return 0
    # shellcheck disable=SC2016  # dpkg-query expands the names
    dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | grep -E '^.([HUF]|.R)' |
        while read -r _ package; do say dpkg_broken "$package"; done
    for update in /var/lib/dpkg/updates/[0-9]*; do
        [ -e "$update" ] && say dpkg_interrupted yes && break
    done
}

{
    system
    hardware
    room
    route
    holders
    packages
    say end yes
} 2>/dev/null | tr -cd '\012\040-\176'
