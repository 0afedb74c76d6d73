# The NVIDIA driver of a node as key=value lines; keys repeat. POSIX sh, read-only, one command.
LC_ALL=C
export LC_ALL

loaded() {
    for device in /sys/bus/pci/drivers/nouveau/*:*; do
        [ ! -e "$device" ] || echo nouveau=bound
    done
    [ -r /sys/module/nvidia/version ] || return 0
    echo "loaded=$(cat /sys/module/nvidia/version)"
    echo "loaded_as=$(head -n 1 /proc/driver/nvidia/version)"
}

kernels() { # with their headers and the module that would be loaded there
    for folder in /lib/modules/*/; do
        kernel=${folder#/lib/modules/}
        kernel=${kernel%/}
        headers=no
        [ ! -e "$folder/build/Makefile" ] || headers=yes
        [ $headers = yes ] || [ -e "/boot/vmlinuz-$kernel" ] || continue
        version= license=
        for module in "$folder"updates/dkms/nvidia.ko* "$folder"updates/dkms/nvidia-current.ko* \
            "$folder"extra/nvidia.ko* "$folder"weak-updates/nvidia.ko* \
            "$folder"kernel/nvidia-*/nvidia.ko* "$folder"kernel/drivers/video/nvidia.ko*; do
            [ -e "$module" ] || continue
            version=$(modinfo -F version "$module")
            license=$(modinfo -F license "$module")
            break
        done
        echo "kernel=$kernel|$headers|$version|$license"
    done
}

packages() {
    # shellcheck disable=SC2016  # dpkg-query and rpm expand the names
    if command -v dpkg-query > /dev/null; then
        dpkg-query -W -f 'package=${db:Status-Abbrev} ${Package} ${Version}\n' \
            dkms nvlsm 'nvidia-*' 'libnvidia-*' libcuda1 'cuda-drivers*' 'firmware-nvidia-*' \
            'datacenter-gpu-manager*' 'linux-image-*' 'linux-headers-*' 'linux-modules-nvidia-*'
        for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
            case $file in *.list | *.sources) [ -r "$file" ] || continue ;; *) continue ;; esac
            sed "s|^|source=$file\\||" "$file"
        done
    else
        rpm -qa --qf 'package=ii %{NAME} %{EVR}\n' dkms nvlsm '*nvidia*' 'cuda-drivers*' \
            'datacenter-gpu-manager*' 'kernel-devel*' kernel-core
        sed 's/^/lock=/' /etc/dnf/plugins/versionlock.list
        sed -n 's/^stream=/stream=/p' /etc/dnf/modules.d/nvidia-driver.module
    fi
}

secure_boot() {
    file=/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
    # four bytes of attributes, then the value (UEFI 2.10, 3.3)
    [ -e $file ] && [ "$(od -An -tu1 -j4 -N1 $file | tr -d ' ')" = 1 ] || return 0
    echo secure_boot=on
    for key in /var/lib/dkms/mok.pub /var/lib/shim-signed/mok/MOK.der; do
        [ -e $key ] || continue
        mokutil --test-key $key | grep -q 'already enrolled' && echo key=enrolled && return
    done
}

users() { # processes that have a GPU open, with the container that they are in
    [ -e /dev/nvidiactl ] || return 0
    find /proc/[0-9]*/fd -lname '/dev/nvidia*' | cut -d/ -f3 | sort -un | while read -r pid; do
        name=$(cat "/proc/$pid/comm") || continue
        container=$(grep -oE '[0-9a-f]{64}' "/proc/$pid/cgroup" | head -n 1 | cut -c1-12)
        echo "user=$pid|$name|$container"
    done
}

units() {
    systemctl list-units --plain --no-legend --no-pager --state=active \
        'nvidia-*.service' 'dcgm*.service' 'flightline-gpu.service' |
        while read -r unit _; do echo "unit=$unit"; done
}

{
    loaded
    kernels
    packages
    secure_boot
    users
    units
} 2> /dev/null
echo end=yes
