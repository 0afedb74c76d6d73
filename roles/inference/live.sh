# Prints how a node's engines are, a line for each fact; read-only. The caller sets:
#   slots   slot, port, health path; a line each
#   images  the declared images
#   links   store, model; a line each
#   ports   the ports of all slots, as a pattern
# Values of variables and arguments that may be secrets are not printed.
export LC_ALL=C
: "${slots:=}" "${images:=}" "${links:=}" "${ports:=none}"
for file in /var/lib/flightline/serving/*.json; do
    [ -f "$file" ] || continue
    name=${file##*/}
    echo "state ${name%.json} $(base64 -w 0 "$file")"
done
for unit in $(systemctl list-units --all --plain --no-legend --no-pager 'flightline-engine@*.service' | cut -d ' ' -f 1) \
    /etc/systemd/system/multi-user.target.wants/flightline-engine@*.service; do
    case $unit in *'*'*) continue ;; /*) unit=${unit##*/} ;; esac
    echo "unit $unit $(systemctl show -p ActiveState -p UnitFileState -p NRestarts "$unit" | tr '\n' ' ')"
done | sort -u
# The gateway's doors for other nodes have the engines' ports, on the node's serving address.
ss -Hltnp | awk -v ports=":($ports)\$" '$4 ~ ports && !/\(\("haproxy",/ { print "listens", $4 }'
echo "$links" | while read -r store model; do
    [ -z "$model" ] || echo "link $model $(readlink "$store/$model/current")"
done
for seal in /var/lib/flightline/models/*/*.verified; do
    [ -f "$seal" ] || continue
    version=${seal##*/}
    model=${seal%/*}
    echo "verified ${model##*/} ${version%.verified}"
done

health() { # SLOT PORT PATH
    said=$(curl -s -o /dev/null -w '%{http_code}' --noproxy '*' --max-time 10 "http://127.0.0.1:$2$3")
    echo "health $1 ${said:-000}"
    [ "$said" = 200 ] || return 0
    echo "models $1 $(curl -s --noproxy '*' --max-time 10 "http://127.0.0.1:$2/v1/models" | base64 -w 0)"
}
# docker's socket would start it: a stopped dockerd is not asked
if ! systemctl -q is-active docker.service || ! containers=$(timeout 20 docker ps --all --quiet --no-trunc); then
    echo 'docker away'
    echo end
    exit 0
fi
echo 'docker here'
# shellcheck disable=SC2016  # docker's, not the shell's
format='{{$slot := index .Config.Labels "flightline.slot"}}container {{.Name}} {{.State.Running}} {{.State.Pid}} {{or $slot "-"}}
gpus {{json .HostConfig.DeviceRequests}}
runtime {{.HostConfig.Runtime}}
{{range .Config.Env}}env {{.}}
{{end}}{{if $slot}}labels {{json .Config.Labels}}
host {{json .HostConfig}}
status {{json .State}}
image {{.Image}}
mounts {{json .Mounts}}
{{range .Config.Entrypoint}}entry {{.}}
{{end}}{{range .Config.Cmd}}argument {{.}}
{{end}}{{end}}'
hidden='[-_](key|token|password|passwd|secret|credential)$'
# shellcheck disable=SC2086
found=$([ -z "$containers" ] || docker container inspect -f "$format" $containers)
printf '%s\n' "$found" | awk -v hidden="$hidden" '
    $1 == "container" { ours = $5 != "-" }
    $1 == "env" {
        name = substr($0, 5); sub(/=.*/, "", name)
        if (!ours && name != "NVIDIA_VISIBLE_DEVICES") next
        if (name !~ /^(HF_|TRANSFORMERS_|VLLM_NO_|DO_NOT_|NVIDIA_VISIBLE_)/ || tolower(name) ~ hidden) { print "env " name; next }
    }
    $1 == "argument" {
        word = substr($0, 10); name = word; sub(/=.*/, "", name); was = secret
        secret = (word ~ /^-/ && word !~ /=/ && tolower(word) ~ hidden)
        if (was) { print "argument (hidden)"; next }
        if (word ~ /^-.*=/ && tolower(name) ~ hidden) { print "argument " name "=(hidden)"; next }
    }
    NF { print }'
# What the kernel has for the processes themselves.
printf '%s\n' "$found" | sed -n 's/^container [^ ]* true \([0-9]*\) \([^-].*\)/\2 \1/p' | while read -r slot pid; do
    echo "process $slot memlock $(sed -n 's/^Max locked memory *\([^ ]*\).*/\1/p' "/proc/$pid/limits")"
    # not df: it looks for the mount in this shell's namespace
    echo "process $slot shm $(stat -f -c '%b %S' "/proc/$pid/root/dev/shm" | awk '{ print $1 * $2 / 1024 }')"
    count=0
    for device in "/proc/$pid/root/dev/nvidia"[0-9]*; do
        [ ! -e "$device" ] || count=$((count + 1))
    done
    echo "process $slot gpus $count"
done
# shellcheck disable=SC2086
for image in $images; do
    echo "declared $image $(docker image inspect -f '{{.Id}}' "$image" 2>/dev/null)"
done
echo "$slots" | while read -r slot port path _; do
    # a follower of an engine over several nodes has no API
    case $found in *'"flightline.rank":"'[1-9]*"\"flightline.slot\":\"$slot\""*) continue ;; esac
    [ -z "$slot" ] || health "$slot" "$port" "$path"
done
echo end
