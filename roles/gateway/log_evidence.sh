# Prints what is so of keys and audit log, as label=value. POSIX sh; $port, $address, $folder,
# $reader, $collector, $sockets and $unit are set before. One request is made to the gateway, which
# refuses it, to see its line arrive.
LC_ALL=C
export LC_ALL
log=$folder/audit.log
say() { printf '%s=%s\n' "$1" "$2"; }
all() { while IFS= read -r each; do say "$1" "$each"; done; } # LABEL: a line of input each
now() { date +%s; }

probe=flightline-audit-$(now)-$$
{ printf 'GET /%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$probe"; sleep 1; } |
    timeout 20 openssl s_client -quiet -connect "$address:$port" >/dev/null 2>&1
tries=0
until tail -n 2000 "$log" 2>/dev/null | grep -qF "$probe" || [ "$tries" -ge 20 ]; do
    tries=$((tries + 1))
    sleep 0.25
done
found=no
if tail -n 2000 "$log" 2>/dev/null | grep -qF "$probe"; then found=yes; fi
say probe "$found"
say now "$(now)"

systemctl show --no-pager -p Id,ActiveState,UnitFileState,MainPID,Result -- \
    "$unit" "$collector" flightline-audit-log.socket flightline-audit.socket \
    flightline-audit-rotate.timer flightline-audit-rotate.service |
    awk 'BEGIN { RS = "" } { gsub("\n", " "); print }' | all unit

pid=$(systemctl show -p MainPID --value "$collector")
inode=$(awk -v path="$sockets/log" '$8 == path { print $7 }' /proc/net/unix)
held=no
if [ -n "$inode" ] && ls -l "/proc/$pid/fd" 2>/dev/null | grep -qF "socket:[$inode]"; then held=yes; fi
say held "$held"
if [ "$pid" -gt 0 ] 2>/dev/null; then say collector-started "$(stat -c %Y "/proc/$pid")"; fi

stat -c '%a %U %G %s %Y %n' "$folder" "$log" "$folder"/audit.log-* 2>/dev/null | all file
cat "$folder/audit.index" 2>/dev/null | all index
df -Pk "$folder" | awk 'NR == 2 { print $4 }' | all free-kib
sed -n 's/.*"time":"\([^"]*\)".*/\1/p' "$log" 2>/dev/null | head -n 1 | all first-time
tail -n 200 "$log" 2>/dev/null | sed -n 's/.*"time":"\([^"]*\)".*/\1/p' | all time
say secrets "$(grep -cE 'fl-[A-Za-z0-9_-]{43}' "$log" 2>/dev/null)"

rotate=$(systemctl show -p ExecStart --value flightline-audit-rotate.service |
    sed -n 's/.*argv\[\]=[^;]* \(\/[^ ;]*\) ;.*/\1/p')
say rotate-config "$rotate"
state=$(systemctl show -p ExecStart --value flightline-audit-rotate.service |
    sed -n 's/.* --state \([^ ;]*\) .*/\1/p')
logrotate --debug --state "${state:-/dev/null}" "$rotate" 2>&1 | grep -E '^(rotating pattern|error)' | all rotating
sed -n '/audit.log {/,/^}/s/^[[:space:]]*\(maxage\|rotate\|maxsize\) \(.*\)/\1 \2/p' "$rotate" 2>/dev/null | all rotate
sed -n 's/^".*audit.log" //p' "$state" 2>/dev/null | all rotated

config=$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | sed -n '/^-f$/{n;p;}')
grep -oE '(CAFile|caCert|CertFile|myCert|KeyFile|myPrivKey)="[^"]*"' "$config" 2>/dev/null | sort -u |
    tr -d '"' | while IFS='=' read -r what file; do
    say siem-file "$what $(stat -c '%a %U' "$file" 2>/dev/null) $file"
    case $what in *[cC]ert | *CAFile | *CertFile)
        end=$(openssl x509 -noout -enddate -in "$file" 2>/dev/null)
        say siem-end "$what $(date -d "${end#*=}" +%s 2>/dev/null)"
    esac
done
grep -oE 'target="[^"]*" port="[^"]*"' "$config" 2>/dev/null | tr -d '"' | all siem-target
# Figures come every 10 s: those of a collector that has just started are waited for.
tries=0
while [ "$tries" -lt 12 ] && [ "$(stat -c %Y "$folder/audit-stats.log" 2>/dev/null || echo 0)" -le "$(stat -c %Y "/proc/$pid" 2>/dev/null || echo 0)" ]; do
    tries=$((tries + 1))
    sleep 1
done
tail -n 200 "$folder/audit-stats.log" 2>/dev/null |
    sed -n 's/^[^{]*\({ "name": "\(siem\|siem queue\|TCP-[^"]*\)",.*\)/\1/p' | all stats

printf 'show info\n' | socat -t 5 - "UNIX-CONNECT:$admin" 2>/dev/null | sed -n 's/^DroppedLogs: //p' | all dropped
stat -c '%a %U' "$keys" 2>/dev/null | all keys-mode
mine=$(mktemp -d)
if "$load" live >"$mine/live" 2>"$mine/trouble"; then
    grep -E '^[0-9A-F]{64} ' "$keys" 2>/dev/null | sort >"$mine/file"
    say keys-live "$(wc -l <"$mine/live")"
    # names alone: who, not which key
    comm -23 "$mine/live" "$mine/file" | cut -d '|' -f 2 | all keys-only-live
    comm -13 "$mine/live" "$mine/file" | cut -d '|' -f 2 | all keys-only-file
    awk -F '|' -v now="$(now)" '$5 != "" && $5 <= now { print $2 }' "$mine/live" | all keys-expired
else
    all keys-trouble <"$mine/trouble"
fi
rm -rf "$mine"
printf 'GET /admin/audit?lines=1 HTTP/1.1\r\nHost: localhost\r\n\r\n' |
    timeout 30 socat -t 25 - "UNIX-CONNECT:$reader" 2>/dev/null | head -n 1 | tr -d '\r' | all reader
say end yes
