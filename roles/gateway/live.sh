# What a gateway is and does, as "key=value" lines: asked of systemd, of the kernel, of HAProxy's
# socket and of its ports. $address, $port, $public, $socket, $state, $config and $jwt are set.
LC_ALL=C
export LC_ALL
unit=flightline-gateway.service
echo "active=$(systemctl is-active "$unit" 2>/dev/null)"
echo "enabled=$(systemctl is-enabled "$unit" 2>/dev/null)"
echo "packaged=$(systemctl is-active haproxy.service 2>/dev/null) $(systemctl is-enabled haproxy.service 2>/dev/null)"
systemctl show "$unit" -p NeedDaemonReload -p ExecMainStartTimestamp 2>/dev/null | while IFS='=' read -r name value; do
    case $name in
    NeedDaemonReload) echo "unit.reload=$value" ;;
    Exec*) if [ -n "$value" ]; then echo "unit.started=$(date -d "$value" +%s)"; fi ;;
    esac
done
echo "unit.changed=$(stat -c %Y "/etc/systemd/system/$unit" 2>/dev/null)"
haproxy -v 2>/dev/null | sed -n '1s/.*version \([^ ]*\).*/installed=\1/p; s/^Status: /status=/p'
echo "now=$(date +%s)"

sed -n 's/^    description /config.told=/p' "$config" 2>/dev/null
echo "config.digest=$(grep -v '^    description ' "$config" 2>/dev/null | sha256sum | cut -d ' ' -f 1)"
echo "socket.mode=$(stat -c '%a %U:%G' "$socket" 2>/dev/null)"
if [ -e "$jwt" ]; then
    openssl pkey -pubin -in "$jwt" -noout -text 2>/dev/null |
        sed -n 's/.*Public-Key: (\([0-9]*\) bit).*/jwt.bits=\1/p; s/^ASN1 OID: /jwt.curve=/p; s/^Modulus:.*/jwt.kind=RSA/p'
fi

ask() { echo "$1" | socat -t 5 - "UNIX-CONNECT:$socket" 2>/dev/null; }
if [ -S "$socket" ]; then
    ask 'show info' | sed -n 's/^\(Version\|Maxconn\|Ulimit-n\|Pid\|description\): /live.\1=/p'
    # name of backend, of server; state, weight, whether the health check passed
    ask 'show stat' | awk -F, '$1 ~ /^(model|grpc)\./ && $2 !~ /^(FRONTEND|BACKEND)$/ { print "server=" $1, $2, $18, $37 }'
    rows='NF > 20 && $1 != "#" { print kind "=" $2, $4, $5, $8, $9, int($7 / 8) % 2, $7 % 2 }'
    ask 'show servers state' | awk -v kind=live.state "$rows"
    awk -v kind=saved.state "$rows" "$state" 2>/dev/null
    ask 'show table' | sed -n 's/^# table: \([^,]*\),.*/table=\1/p'
fi
for file in /var/lib/flightline/serving/*.json; do
    [ -e "$file" ] || continue
    name=${file##*/}
    echo "service=${name%.json} $(tr -d ' \n' <"$file" | sed -n 's/.*"active":"\([ab]\)".*/\1/p') $(tr -d ' \n' <"$file" | grep -qE '"switching":\{' && echo switching)"
done

listening() { ss -Hltnp 2>/dev/null | grep -F '"haproxy"' | awk '{ print $4 }' | sort -u; }
listening | sed 's/^/listens=/'
tls() { timeout 10 openssl s_client -connect "$address:$port" "$@" </dev/null 2>/dev/null; }
if [ "$public" = yes ] && [ -S "$socket" ]; then
    tls -tls1_2 | sed -n 's/^New, \([^,]*\), Cipher is.*/tls.old=\1/p'
    tls -tls1_3 -alpn h2 | sed -n 's/^New, \([^,]*\), Cipher is.*/tls.new=\1/p; s/^ALPN protocol: /tls.alpn=/p'
    echo "plain=$(printf 'GET /v1/models HTTP/1.1\r\nHost: audit\r\n\r\n' | timeout 5 socat -t 2 - "TCP:$address:$port" 2>/dev/null | head -c 5 | tr -cd '[:print:]')"
    asked='/v1/models /metrics /invocations /tokenize //v1/models /v1/../metrics /v1/%6dodels /v1%2fmodels /stats'
    # one connection for all; an answer's body ends without a newline
    answers=$(
        {
            for path in $asked; do printf 'GET %s HTTP/1.1\r\nHost: audit\r\n\r\n' "$path"; done
            printf 'GET / HTTP/1.1\r\nHost: audit\r\nConnection: close\r\n\r\n'
        } | timeout 15 openssl s_client -quiet -connect "$address:$port" 2>/dev/null |
            grep -ao 'HTTP/1\.1 [0-9]*' | cut -d ' ' -f 2
    )
    # shellcheck disable=SC2086  # words on purpose
    set -- $answers
    for path in $asked; do
        echo "answer=$path ${1:-none}"
        [ "$#" -eq 0 ] || shift
    done
fi
hello() { printf 'GET / HTTP/1.1\r\nHost: audit\r\nConnection: close\r\n\r\n'; }
listening | grep -vE '^(127\.0\.0\.1:|\[::1\])' | while read -r door; do
    case $door in *:"$port") [ "$public" = yes ] && continue ;; esac
    reached=$(echo "$door" | sed 's/^\*:/127.0.0.1:/; s/^0\.0\.0\.0:/127.0.0.1:/; s/^\[::\]:/127.0.0.1:/')
    secured=$(hello | timeout 5 openssl s_client -quiet -connect "$reached" 2>&1 | tr -cd '[:print:]')
    case $secured in
    *HTTP/*) echo "door=$door open" ;;
    *'alert certificate required'*) echo "door=$door closed" ;;
    *)
        case $(hello | timeout 5 socat -t 2 - "TCP:$reached" 2>/dev/null | head -c 5) in
        HTTP/) echo "door=$door open" ;;
        *) echo "door=$door silent" ;;
        esac
        ;;
    esac
done
echo end
