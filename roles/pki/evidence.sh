# What the node's certificates are, as openssl and systemd say; nothing is changed, no key printed.
LC_ALL=C
export LC_ALL
etc=${FLIGHTLINE_PKI:-/etc/flightline/pki}
state=${FLIGHTLINE_PKI_STATE:-/var/lib/flightline/pki}
config=${FLIGHTLINE_GATEWAY_CONFIG:-/etc/flightline/gateway/haproxy.cfg}
hashed() { sha256sum | cut -d' ' -f1; }
fingerprints() { # LABEL FILE
    pem=
    while IFS= read -r line; do
        pem="$pem$line
"
        case $line in *"END CERT"*)
            echo "$1=$(printf '%s' "$pem" | openssl x509 -noout -fingerprint -sha256 | cut -d= -f2)"
            pem=
            ;;
        esac
    done <"$2"
}
certificate() { # LABEL FILE
    echo "$1.mode=$(stat -c '%a %U:%G' "$2")"
    openssl x509 -in "$2" -noout -text -certopt no_header,no_version,no_serial,no_sigdump,no_aux |
        sed -n "s/^ *//; /pub:/d; /^[0-9a-f:]*:\{0,1\}$/d; /./s/^/$1.text=/p"
}
served() { # LABEL FILE OPTION...: what the address shows that HAProxy binds with this file
    address=$(sed -n "s|^[[:space:]]*bind \([^[:space:]]*\) .*crt $2.*|\1|p" "$config" | head -n 1)
    [ -n "$address" ] || return
    case $address in \** | :::* | 0.0.0.0:* | \[::\]:*) address=127.0.0.1:${address##*:} ;; \[*) ;; *:*:*) address="[${address%:*}]:${address##*:}" ;; esac
    label=$1
    shift 2
    echo "$label=$(timeout 10 openssl s_client -connect "$address" -servername "$name" "$@" </dev/null |
        openssl x509 -noout -fingerprint -sha256 | cut -d= -f2)"
}
{
    echo "now=$(date +%s)"
    for kind in gateway node; do
        [ -e "$etc/$kind.pem" ] || continue
        root=$etc/root.pem
        [ "$kind" = gateway ] || root=$etc/nodes-ca.pem
        file=$etc/$kind.pem
        certificate "$kind" "$file"
        echo "$kind.fingerprint=$(openssl x509 -in "$file" -noout -fingerprint -sha256 | cut -d= -f2)"
        echo "$kind.public=$(openssl x509 -in "$file" -noout -pubkey | hashed)"
        echo "$kind.private=$(openssl pkey -in "$file" -pubout </dev/null | hashed)"
        echo "$kind.verified=$(openssl verify -CAfile "$root" -purpose sslserver -untrusted "$file" "$file" 2>&1 | tail -n 1)"
        sed "s/^/$kind.made=/" "$state/$kind.history"
    done
    for kind in gateway node; do
        file=$etc/authority/$kind.pem
        if [ -e "$file" ]; then certificate "$kind-authority" "$file"; fi
    done
    echo "authorities.mode=$(stat -c '%a %U:%G' "$etc/authority")"
    fingerprints gateway.root "$etc/root.pem"
    fingerprints node.root "$etc/nodes-ca.pem"
    for path in "$etc"/*.pem "$etc"/authority/* "$etc"/.*; do
        if grep -q "PRIVATE KEY" "$path"; then echo "secret=$(stat -c '%a %U:%G' "$path") $path"; fi
    done
    sed -n "s/^node_names='\(.*\)'/node_names=\1/p" "$etc/renew.conf"
    systemctl show -p ActiveState,UnitFileState flightline-pki-renew.timer | sed 's/^/timer./'
    systemctl show -p Result,ExecMainStatus,ExecMainStartTimestampMonotonic flightline-pki-renew.service | sed 's/^/service./'
    if systemctl -q is-active flightline-gateway.service; then
        echo gateway=active
        name=$(sed -n "s/^gateway_names='\([^ ']*\).*/\1/p" "$etc/renew.conf")
        served gateway.served "$etc/gateway.pem" -tls1_3
        served gateway.served12 "$etc/gateway.pem" -tls1_2
        served node.served "$etc/node.pem" -tls1_3
    fi
    echo end=yes
} 2>/dev/null
