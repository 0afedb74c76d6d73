# Functions of the commands that start and stop engines; POSIX sh.
export LC_ALL=C

ask() { systemctl show --value -p "$2" "flightline-engine@$1.service"; }

await_ready() { # SLOT SECONDS
    began=$(date +%s) told=0 before=$(ask "$1" NRestarts)
    while :; do
        case $(ask "$1" ActiveState) in
        active)
            echo "$1: ready after $(($(date +%s) - began)) s"
            return 0
            ;;
        failed | inactive)
            # what was asked for may still wait for its turn
            case $(ask "$1" Job) in '' | 0) unready "$1" "did not start" || return 1 ;; esac
            ;;
        esac
        waited=$(($(date +%s) - began))
        [ "$(ask "$1" NRestarts)" -le "$before" ] || unready "$1" "ended while it loaded" || return 1
        [ "$waited" -lt "$2" ] || unready "$1" "was not ready after $2 s" || return 1
        if [ "$((waited / 30))" -gt "$told" ]; then
            told=$((waited / 30))
            echo "$1: $(ask "$1" StatusText) ($waited s)"
        fi
        sleep 1
    done
}

unready() { # SLOT WHAT
    echo "$1: the engine $2 (flightline-engine@$1.service); its last lines:" >&2
    journalctl -u "flightline-engine@$1.service" -n 40 -o cat --no-pager >&2
    return 1
}

off() { # SLOT
    systemctl --quiet disable "flightline-engine@$1.service"
    systemctl stop "flightline-engine@$1.service" || return 1
    if systemctl -q is-active docker.service; then
        docker container inspect "flightline-$1" >/dev/null 2>&1 || return 0
        docker stop "flightline-$1" >/dev/null && docker container rm --force "flightline-$1" >/dev/null
    fi
}
