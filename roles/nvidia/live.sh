# The running driver: out of use, unloaded, loaded, proven. POSIX sh, run as root.
LC_ALL=C
export LC_ALL

holders() { # processes with a GPU open, as "vllm (pid 812)"
    [ -e /dev/nvidiactl ] || return 0
    find /proc/[0-9]*/fd -lname '/dev/nvidia*' 2>/dev/null | cut -d/ -f3 | sort -un |
        while read -r pid; do printf '%s (pid %s) ' "$(cat "/proc/$pid/comm")" "$pid"; done
}

leave() { # UNIT...: our services stop; anyone else's process ends it here
    [ $# = 0 ] || systemctl stop -- "$@" || exit 1
    found=$(holders)
    [ -z "$found" ] && return
    [ $# = 0 ] || systemctl start -- "$@"
    printf 'the GPUs are still in use by %s; stop them, then run again: nothing was replaced.\n' \
        "$found" >&2
    exit 1
}

unload() { # the order of dependence; one in use stays, and a reboot brings the new one
    for module in nvidia_peermem nvidia_uvm nvidia_drm nvidia_modeset nvidia; do
        [ ! -d /sys/module/$module ] || rmmod $module 2>/dev/null
    done
    [ ! -d /sys/module/nvidia ] || echo 'the loaded driver is in use; a reboot brings the new one' >&2
}

load() { # loaded, of the version on disk, and nvidia-smi answers; else the sentence says what is left
    for device in /sys/bus/pci/drivers/nouveau/*:*; do
        [ -e "$device" ] || continue
        echo 'nouveau drives the GPUs; a reboot brings the NVIDIA driver' >&2
        return
    done
    loaded=$(cat /sys/module/nvidia/version 2>/dev/null)
    disk=$(modinfo -F version nvidia 2>/dev/null || modinfo -F version nvidia-current)
    if [ -n "$loaded" ] && [ "$loaded" != "$disk" ]; then
        echo "driver $loaded stays loaded until a reboot brings $disk" >&2
        return
    fi
    said=$(modprobe nvidia 2>&1 && modprobe nvidia_uvm 2>&1) || {
        why=$(dmesg 2>/dev/null | grep -i nvrm | tail -n 1 | tr -cd '\040-\176')
        printf 'driver %s is installed, but its module does not load: %s; %s\n' "$disk" \
            "$(printf '%s' "$said" | tr -s '\n ' ' ')" "${why:-see dmesg}" >&2
        exit 1
    }
    said=$(timeout 120 nvidia-smi -L 2>&1) || {
        printf 'driver %s is loaded, but nvidia-smi fails: %s\n' "$disk" \
            "$(printf '%s' "$said" | tail -n 1)" >&2
        exit 1
    }
}
