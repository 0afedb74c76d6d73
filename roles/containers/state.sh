# What the container engine is and runs with, as "key=value" lines; nothing here wakes dockerd:
# its socket would start it, so it is only asked while it runs.
LC_ALL=C
export LC_ALL
file=/etc/docker/daemon.json
[ ! -e "$file" ] || echo "file=$(base64 < "$file" | tr -d '\n')"
[ ! -e "$file" ] || echo "modified=$(stat -L -c %Y "$file")"
echo "group=$(getent group docker | cut -d : -f 4)"
for package in docker.io docker-ce containerd containerd.io runc; do
    if command -v dpkg-query > /dev/null; then
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2> /dev/null
    else
        rpm -q "$package" > /dev/null 2>&1 && echo installed
    fi | grep -qx installed && echo "package=$package"
done
echo "active=$(systemctl is-active docker.service 2> /dev/null)"
unit=$(systemctl show docker.service -p ExecMainStartTimestamp -p ActiveEnterTimestamp \
    -p StateChangeTimestamp)
started=$(echo "$unit" | sed -n 's/^ExecMainStartTimestamp=//p')
entered=$(echo "$unit" | sed -n 's/^ActiveEnterTimestamp=//p')
changed=$(echo "$unit" | sed -n 's/^StateChangeTimestamp=//p')
# A running unit's state changes by a reload alone. ExecReload has the moment too, but loses it at
# the next daemon-reload (systemd 252 and 257).
if [ "$changed" = "$entered" ]; then changed=''; fi
for moment in "$started" "$changed"; do
    case $moment in '' | n/a) ;; *) echo "loaded=$(date -d "$moment" +%s)" ;; esac
done
# the kernel cuts names at 15 characters: containerd-shim-runc-v2 is among these
if grep -qsx containerd-shim /proc/[0-9]*/comm; then echo shims=yes; fi
echo "routes=$(ip -j -4 route show table all 2> /dev/null | tr -d '\n')"
if systemctl is-active -q docker.service; then
    echo "info=$(timeout 20 docker info --format '{{json .}}' 2> /dev/null)"
fi
echo end
