# What containers can have of the GPUs, as "gpu-..." lines; asks neither the driver nor dockerd.
gpus=
for device in /sys/bus/pci/devices/*; do
    read -r vendor < "$device/vendor" || continue
    read -r class < "$device/class" || continue
    case $vendor$class in 0x10de0x0300* | 0x10de0x0302*) ;; *) continue ;; esac
    case $(readlink "$device/driver") in */vfio-pci) continue ;; esac # a virtual machine's
    gpus=yes
    echo "gpu-bus=${device##*/}"
done 2> /dev/null
for key in /usr/share/keyrings/flightline-container-toolkit.asc \
    /etc/pki/rpm-gpg/RPM-GPG-KEY-NVIDIA-container-toolkit-flightline; do
    if [ -s "$key" ]; then echo "gpu-key=$key"; fi
done
if [ -n "$gpus" ]; then
    echo "gpu-driver=$(cat /sys/module/nvidia/version 2> /dev/null)"
    # The three left out are never given to containers one by one (nvidia-ctk, existing.go).
    for node in /dev/nvidia* /dev/nvidia-caps/nvidia-*; do
        case $node in /dev/nvidia-fs* | /dev/nvidia-nvswitch* | /dev/nvidia-nvlink*) continue ;; esac
        if ! [ -c "$node" ]; then continue; fi
        number=$(stat -L -c '0x%t 0x%T' "$node")
        number=$((${number% *})):$((${number#* }))
        echo "gpu-node=$node $number $(readlink -f "/dev/char/$number" 2> /dev/null)"
    done
    for spec in /etc/cdi/*.yaml /etc/cdi/*.json /var/run/cdi/*.yaml /var/run/cdi/*.json; do
        grep -qs nvidia.com/gpu "$spec" || continue
        echo "gpu-spec=$spec"
        grep -oE 'libcuda\.so\.[0-9]+\.[0-9.]*[0-9]' "$spec" | sort -u | sed 's/^libcuda.so./gpu-spec-driver=/'
        grep -oE '/dev/nvidia[0-9]+' "$spec" | sort -u | sed 's/^/gpu-spec-node=/'
    done
    config=/etc/nvidia-container-runtime/config.toml
    grep -sE '^[[:space:]]*(mode|no-cgroups)[[:space:]]*=' $config | sed 's/^[[:space:]]*/gpu-config=/'
    echo "gpu-runtime=$(command -v nvidia-container-runtime)"
    echo "gpu-unit=$(systemctl is-enabled flightline-gpu-devices.service 2> /dev/null)"
    set -- nvidia-container-toolkit nvidia-container-toolkit-base \
        libnvidia-container-tools libnvidia-container1
    if command -v dpkg-query > /dev/null; then
        dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' "$@" 2> /dev/null
    else
        for name in "$@"; do
            grep -qs "^$name-[0-9]" /etc/dnf/plugins/versionlock.list && state=hi || state=ii
            rpm -q --qf "$state %{NAME} %{EVR}\n" "$name" | grep '^[hi]i '
        done
    fi | sed 's/^/gpu-package=/'
fi
echo gpu-end=yes
