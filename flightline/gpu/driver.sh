# The NVIDIA driver that a node runs and has on disk, and what surrounds it, as `place:value` lines,
# then `end`. POSIX sh, read-only.
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH

say() { # PLACE FILE: the file's first line, where it can be read
    { read -r line <"$2" && printf '%s:%s\n' "$1" "$line"; } 2>/dev/null
}

for module in /sys/module/nvidia* /sys/module/nouveau /sys/module/ib_umad; do
    [ ! -d "$module" ] || printf 'module:%s\n' "${module##*/}"
done
say loaded /sys/module/nvidia/version
say flavour /proc/driver/nvidia/version
sed 's/^/option:/' /proc/driver/nvidia/params 2>/dev/null
for gpu in /proc/driver/nvidia/gpus/*/information; do
    place=${gpu%/information}
    sed -n "s/^Device Minor:[[:space:]]*/minor:${place##*/} /p" "$gpu" 2>/dev/null
done
stat -c 'file:%F|%n' /dev/nvidia* 2>/dev/null

for name in libcuda.so.1 libnvidia-ml.so.1; do
    ldconfig -p 2>/dev/null | sed -n "s|^[[:space:]]*$name .*64.* => ||p" | sort -u |
        while read -r path; do printf 'library:%s\n' "$(readlink -f "$path")"; done
done
manager=$(nv-fabricmanager --version 2>/dev/null | grep -oE '[0-9]{3}\.[0-9.]+' | head -n 1)
[ -z "$manager" ] || printf 'fabricmanager:%s\n' "$manager"

printf 'running:%s\n' "$(uname -r)"
for image in /boot/vmlinuz-* /lib/modules/*/vmlinuz; do
    case $image in *rescue* | *.old) continue ;; /boot/*) kernel=${image#/boot/vmlinuz-} ;; *)
        kernel=${image%/vmlinuz} kernel=${kernel##*/} ;;
    esac
    [ ! -e "$image" ] || printf '%s\n' "$kernel"
done | sort -u | while read -r kernel; do
    # Debian's own package names the module nvidia-current.
    { modinfo -k "$kernel" nvidia || modinfo -k "$kernel" nvidia-current; } 2>/dev/null |
        sed -nE "s/^(filename|version|license|signer|sig_id): */kernel:$kernel|\1|/p"
    printf 'kernel:%s|installed|yes\n' "$kernel"
done

printf 'virtual:%s\n' "$(systemd-detect-virt 2>/dev/null)"
say nodes_with_cpus /sys/devices/system/node/has_cpu
variable=/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
# Four bytes of attributes, then the value (UEFI 2.10, 3.3).
[ ! -e $variable ] || printf 'secure_boot:%s\n' "$(od -An -tu1 -j4 -N1 $variable | tr -d ' ')"
say signatures_enforced /sys/module/module/parameters/sig_enforce

# The extended capabilities of a PCI Express device begin at 256: id in bits 0 to 15, the place of
# the next one in bits 20 to 31; ACS is id 13, its control register 6 bytes in (PCI Express Base
# 5.0, 7.6.3 and 7.7.8).
acs() {
    od -An -v -tu4 -w4 "$1/config" 2>/dev/null | awk '{ word[NR - 1] = $1 }
        END {
            if (NR < 64) { print "unreadable"; exit } # 64 bytes: not root
            for (at = 256; at >= 256 && steps++ < 48; at = int(word[at / 4] / 1048576)) {
                if (word[at / 4] % 65536 == 13) {
                    printf "%04x\n", int(word[at / 4 + 1] / 65536); exit
                }
            }
            print "none"
        }'
}
cd /sys/bus/pci/devices 2>/dev/null && for slot in *; do
    read -r class <"$slot/class" && read -r vendor <"$slot/vendor" || continue
    case $vendor$class in 0x10de0x0300* | 0x10de0x0302*) ;; *) continue ;; esac
    # Read from the device itself: all ones when it has fallen off the bus.
    printf 'identity:%s %s\n' "$slot" "$(od -An -tx4 -N4 "$slot/config" 2>/dev/null | tr -d ' ')"
    readlink -f "$slot" | tr / '\n' | sed -nE '/^[0-9a-f]{4,}:[0-9a-f]{2}:/s/^/bridge:/p' | sed '$d'
done 2>/dev/null | awk '!seen[$0]++' | while read -r line; do
    case $line in
        bridge:*) printf 'acs:%s %s\n' "${line#bridge:}" "$(acs "${line#bridge:}")" ;;
        *) printf '%s\n' "$line" ;;
    esac
done
echo end
