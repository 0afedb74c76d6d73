# Prints what the role must know of a node before it changes anything, a line each; read-only.
# The caller sets the images it wants as arguments.
export LC_ALL=C
command -v curl >/dev/null && echo 'tool curl'
for file in /var/lib/flightline/serving/*.json; do
    [ -f "$file" ] || continue
    name=${file##*/}
    echo "state ${name%.json} $(base64 -w 0 "$file")"
done
systemctl list-units --all --plain --no-legend --no-pager 'flightline-engine@*.service' |
    while read -r unit _ active _; do echo "unit $unit $active"; done
for link in /etc/systemd/system/multi-user.target.wants/flightline-engine@*.service; do
    [ -L "$link" ] && echo "enabled ${link##*/}"
done
# docker's socket would start it: a stopped dockerd is not asked
if systemctl -q is-active docker.service && version=$(timeout 20 docker version -f '{{.Server.Version}}' 2>/dev/null); then
    echo "docker $version"
    timeout 30 docker ps --all --filter label=flightline.slot --format '{{.Label "flightline.slot"}}' |
        while read -r slot; do
            echo "container $slot $(docker container inspect -f \
                '{{.State.Running}} {{index .Config.Labels "flightline.declaration"}} {{index .Config.Labels "flightline.version"}}' "flightline-$slot")"
        done
    for image in "$@"; do
        docker image inspect -f '{{.Id}}' "$image" >/dev/null 2>&1 && echo "image $image"
    done
fi
echo end
