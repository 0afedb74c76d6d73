# The packages of the NVIDIA driver and its companions, as `place:value` lines, then `end`. POSIX
# sh, read-only.
LC_ALL=C
export LC_ALL
if [ -e /var/lib/dpkg/status ]; then
    # shellcheck disable=SC2016  # dpkg-query expands the names
    dpkg-query -W -f 'package:${db:Status-Abbrev}|${Package}|${Version}|${Pre-Depends}, ${Depends}\n' \
        '*nvidia*' libcuda1 'cuda-drivers*' nvlsm 'datacenter-gpu-manager*' 2>/dev/null
    echo manager:apt
    apt-config dump 2>/dev/null |
        sed -nE -e 's/^(APT::Periodic::Unattended-Upgrade|Unattended-Upgrade::Package-Blacklist::) /setting:\1 /p'
else
    rpm -qa --qf 'package:ii |%{NAME}|%{EVR}|[%{REQUIRENAME} (%{REQUIREFLAGS:depflags} %{REQUIREVERSION}), ]\n' \
        '*nvidia*' 'cuda-drivers*' nvlsm 'datacenter-gpu-manager*' 2>/dev/null
    echo manager:dnf
    sed 's/^/lock:/' /etc/dnf/plugins/versionlock.list 2>/dev/null
    # The list is only heeded where the plug-in is there and on.
    cat /etc/dnf/dnf.conf /etc/dnf/plugins/versionlock.conf 2>/dev/null |
        sed -nE 's/^ *(plugins|enabled) *= */setting:\1 /p'
    rpm -q python3-dnf-plugin-versionlock >/dev/null 2>&1 && echo 'setting:plugin installed'
fi
echo end
