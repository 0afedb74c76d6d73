# What RDMA a node has, as `place:value` lines, then `end`. POSIX sh, read-only; nothing but sysfs,
# procfs and /dev. A file that the kernel will not read (EINVAL, EOPNOTSUPP) has no line.
LC_ALL=C
export LC_ALL
values() { grep -sH . "$@"; }
printf 'uptime:%s\n' "$(cut -d' ' -f1 /proc/uptime)"
for module in ib_uverbs ib_umad rdma_ucm rdma_cm rdma_rxe ib_ipoib mlx5_ib nvidia nvidia_peermem; do
    if [ -d "/sys/module/$module" ]; then echo "module:$module"; fi
done
# The interfaces that carry a default route (8th column: mask), IPv4 then IPv6.
{ cat /proc/net/route; echo; } 2>/dev/null |
    while read -r name to _ _ _ _ _ mask _; do
        if [ "$to$mask" = 0000000000000000 ]; then echo "route:$name"; fi
    done
while read -r to length _ _ _ _ _ _ flags name; do
    if [ "$to$length" = 0000000000000000000000000000000000 ] && [ "$name" != lo ]; then
        echo "route6:$flags $name"
    fi
done 2>/dev/null </proc/net/ipv6_route
stat -c 'character:%a %n' /dev/infiniband/* 2>/dev/null
cd /sys/class/infiniband_verbs 2>/dev/null && values uverbs*/ibdev | sed 's/^/verbs:/'
cd /sys/class/infiniband_mad 2>/dev/null && values umad*/ibdev | sed 's/^/mad:/'

cd /sys/class/net && for interface in *; do
    [ -d "$interface" ] || continue
    for name in mtu operstate type; do values "$interface/$name"; done | sed 's/^/net:/'
    cd "/proc/sys/net/ipv4/conf/$interface" 2>/dev/null &&
        values arp_ignore arp_announce rp_filter | sed "s|^|net:$interface/|"
    cd /sys/class/net || exit 1
done

for slot in /sys/bus/pci/devices/*; do
    read -r class <"$slot/class" || continue
    case $class in 0x0207*) echo "card:${slot##*/}" ;; esac
done 2>/dev/null

device() {
    values fw_ver board_id hca_type node_guid parent
    if [ -e device/vendor ]; then
        at=$(readlink -f device) driver=$(readlink device/driver)
        echo "pci:${at##*/}"
        echo "driver:${driver##*/}"
        if [ -e device/physfn ]; then echo "virtual_function:yes"; fi
        values device/numa_node device/current_link_width device/max_link_width \
            device/current_link_speed device/max_link_speed
        echo "config:$(od -An -v -tx1 -N256 device/config | tr -d ' \n')"
        for interface in device/net/*; do
            if [ -e "$interface" ]; then echo "device/net:${interface##*/}"; fi
        done
    fi
    for port in ports/*; do
        values "$port/state" "$port/phys_state" "$port/rate" "$port/link_layer" "$port/lid" \
            "$port/sm_lid" "$port"/counters/* "$port"/hw_counters/*
        # A table has hundreds of places, nearly all of them empty.
        grep -sHv '^0000:0000:0000:0000:0000:0000:0000:0000$' "$port"/gids/* |
            while IFS=: read -r file gid; do
                place=${file##*/} kind='' interface=''
                { read -r kind <"$port/gid_attrs/types/$place"; } 2>/dev/null
                { read -r interface <"$port/gid_attrs/ndevs/$place"; } 2>/dev/null
                echo "$port/gid:$place,$kind,$interface,$gid"
            done
    done
}

for place in /sys/class/infiniband/*; do
    [ -e "$place" ] || continue
    echo "device:${place##*/}"
    (cd "$place" && device | sed "s|^|${place##*/}/|")
done
echo end
