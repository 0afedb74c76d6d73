# Asks each model one prompt through the gateway, as a client does: TLS with the gateway's own name,
# a key, a streamed answer. The key is made here, for this run, and honoured by the running gateway
# alone; it is in no argument, no log and no file of the gateway. Prints what was measured. POSIX sh;
# $port, $address, $certificate, $root, $keys, $admin, $rest, $except and $seconds are set before.
LC_ALL=C
export LC_ALL
say() { printf '%s=%s\n' "$1" "$2"; }
stop() { say trouble "$1"; say end yes; exit 0; }
millis() { echo $(($(date +%s%N) / 1000000)); }
runtime() { printf '%s\n' "$1" | socat -t 10 - "UNIX-CONNECT:$admin" 2>/dev/null; }

command -v curl >/dev/null || stop 'curl is not installed'
mine=$(mktemp -d) && chmod 700 "$mine" || stop 'there is no room for a temporary file'
hash=
finish() {
    [ -z "$hash" ] || runtime "del map $keys $hash" >/dev/null
    rm -rf "$mine"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

# 256 random bits; printf is the shell's own, so the key is in no process list
key=fl-$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')
hash=$(printf %s "$key" | sha256sum | cut -d ' ' -f 1 | tr a-f A-F)
expires=$(($(date +%s) + seconds * 20 + 600))
said=$(runtime "add map $keys $hash data_scientist|flightline-acceptance|||$expires" | tr -d '\n')
[ -z "$said" ] || stop "the gateway did not take a key for the trial ($said)"
runtime "show map $keys" | grep -q "$hash" || stop 'the gateway does not answer on its admin socket'

name=$(openssl x509 -noout -ext subjectAltName -in "$certificate" 2>/dev/null | tr ',' '\n' |
    sed -n 's/^ *\(DNS\|IP Address\)://p' | grep -v '^[*]' | head -n 1)
[ -n "$name" ] || stop "$certificate names no host"
cat /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt "$root" >"$mine/ca" 2>/dev/null
case $name in *:*) host="[$name]" ;; *) host=$name ;; esac
case $address in *:*) address="[$address]" ;; esac
ask() { # PATH, with further options; the key goes by standard input
    path=$1
    shift
    printf 'header = "Authorization: Bearer %s"\n' "$key" |
        curl --config - --silent --show-error --noproxy '*' --tlsv1.3 --cacert "$mine/ca" \
            --connect-to "$host:$port:$address:$port" --max-time "$seconds" "$@" "https://$host:$port$path"
}

if ! ask /v1/models >"$mine/models" 2>"$mine/said"; then stop "$(head -n 1 "$mine/said")"; fi
grep -o '"id": *"[^"]*"' "$mine/models" | cut -d '"' -f 4 >"$mine/names"
[ -s "$mine/names" ] || stop "the gateway lists no model ($(head -c 200 "$mine/models" | tr '\n' ' '))"

measure() { # reads the stream: when the first token came, how many, when it ended
    first= tokens=0 counted= finish=
    while IFS= read -r line; do
        case $line in
        'data: [DONE]'*) finish=done ;;
        *'content":"'[!\"]* | *'content": "'[!\"]* | *'reasoning":"'[!\"]* | *'reasoning": "'[!\"]*)
            [ -n "$first" ] || first=$(millis)
            tokens=$((tokens + 1))
            ;;
        esac
        case $line in *completion_tokens*)
            counted=$(printf '%s' "$line" | sed -n 's/.*"completion_tokens": *\([0-9][0-9]*\).*/\1/p') ;;
        esac
    done
    echo "first=${first:-0} last=$(millis) tokens=${counted:-$tokens} finish=${finish:-cut}"
}
while IFS= read -r model; do
    case " $except " in *" $model "*) continue ;; esac
    printf '{"model":"%s",%s' "$model" "$rest" >"$mine/body"
    began=$(millis)
    measured=$(ask /v1/chat/completions --no-buffer --header 'Content-Type: application/json' \
        --data-binary "@$mine/body" --dump-header "$mine/head" 2>"$mine/said" </dev/null |
        tee "$mine/answer" | measure)
    status=$(sed -n 's/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$mine/head" 2>/dev/null | tail -n 1)
    say model "$model status=${status:-0} began=$began $measured"
    if [ "${status:-0}" != 200 ]; then
        say why "$model $( { cat "$mine/said"; head -c 300 "$mine/answer"; } | tr -cd '[:print:]' | head -c 300)"
    fi
    rm -f "$mine/head"
done <"$mine/names"
say end yes
