# Managed by Flightline, role models; edits are lost.
# get SOURCE PATH SHA256 BYTES_MAX FILE: one transfer of one file, from where FILE ends if possible.
# 0: it is there; 1: worth another try; 2: not. $said is the reason, without what is secret.

# quoted PATH: as part of an address; the characters that a manifest may have and an address may not.
quoted() { printf '%s' "$1" | sed 's/+/%2B/g; s/=/%3D/g; s/@/%40/g; s/,/%2C/g'; }

size_of() { stat -c %s "$1" 2> /dev/null || echo 0; }

# bounded BYTES COMMAND...: no file may grow beyond that, whatever a server sends.
bounded() (
    ulimit -f $((($1 + 511) / 512 + 1))
    shift
    exec "$@"
)

get() {
    case $1 in
        https://*) get_http '=https' "$@" ;;
        http://*) get_http '=http,https' "$@" ;;
        rclone:*) get_rclone "$@" ;;
        oci://*) get_oci "$@" ;;
        file://*) get_file "$@" ;;
        *) said="is no source that is known"; return 2 ;;
    esac
}

# is_kept_back FILE: whether curl keeps the file's header from a host that a redirect leads to. It
# does so with Authorization and Cookie alone (curl(1), --location-trusted).
is_kept_back() { ! grep -v '^[[:space:]]*$' "$1" | grep -q -v -i '^authorization:'; }

get_http() {
    protocols=$1 url=$2/$(quoted "$3") most=$5 file=$6 redirects=5
    if [ -n "$header_file" ] && ! is_kept_back "$header_file"; then redirects=0; fi
    set -- -q -sS -f -L --max-redirs "$redirects" --proto "$protocols" --proto-redir "$protocols" \
        --connect-timeout 20 --speed-limit 1024 --speed-time "$stall_seconds" -o "$file" -w '%{http_code}'
    if [ "$(size_of "$file")" -gt 0 ]; then set -- "$@" -C -; fi
    if [ -n "$netrc_file" ]; then set -- "$@" --netrc-file "$netrc_file"; fi
    if [ -n "$header_file" ]; then set -- "$@" -H "@$header_file"; fi
    if [ -n "$ca_file" ]; then set -- "$@" --cacert "$ca_file"; fi
    if [ "$rate_kib" -gt 0 ]; then set -- "$@" --limit-rate "$((rate_kib / streams + 1))k"; fi
    printed=$(bounded "$most" curl "$@" "$url" 2>&1)
    status=$?
    said=$(printf '%s\n' "$printed" | sed -n 's/^curl: //p' | tail -n 1)
    code=$(printf '%s' "$printed" | tail -c 3)
    said="$url: ${said:-curl ended with exit status $status}"
    case $status in
        0) return 0 ;;
        47)
            if [ "$redirects" -eq 0 ]; then
                said="$url: redirects, and a header other than Authorization (ModelsSettings.header_file) is not sent on; name the address that it leads to as the source"
            fi
            return 2
            ;;
        153) said="$url: sends more than the $most bytes that are due"; return 2 ;;
        22)
            case $code in
                416) rm -f "$file"; return 1 ;;
                408 | 425 | 429 | 5??) return 1 ;;
                401 | 403) said="$said; check the credentials (ModelsSettings.netrc_file, header_file)" ;;
            esac
            return 2
            ;;
        33 | 36) rm -f "$file"; return 1 ;; # no byte ranges there: from the beginning
        1 | 3 | 23 | 26 | 35 | 51 | 58 | 59 | 60 | 77 | 80 | 83 | 90 | 91 | 126 | 127) return 2 ;;
    esac
    return 1
}

get_rclone() {
    from=${1#rclone:}/$2 most=$4 file=$5
    set -- copyto --config "$rclone_config" --ignore-times --retries 1 --low-level-retries 3 --stats 0 \
        --contimeout 20s --timeout "${stall_seconds}s" --multi-thread-streams "$streams"
    if [ -n "$ca_file" ]; then set -- "$@" --ca-cert "$ca_file"; fi
    if [ "$rate_kib" -gt 0 ]; then set -- "$@" --bwlimit "$((rate_kib / streams + 1))k"; fi
    printed=$(bounded "$most" rclone "$@" "$from" "$file" 2>&1 < /dev/null)
    status=$?
    said="rclone:$from: $(printf '%s\n' "$printed" | sed -E 's|^[0-9/]+ [0-9:]+ ||; s/^(ERROR|NOTICE|CRITICAL) *: //' | grep . | tail -n 1)"
    # rclone.org/docs, "List of exit codes": 3 and 4 not found, 5 worth a retry, 7 fatal.
    case $status in
        0) return 0 ;;
        2 | 3 | 4 | 6 | 7 | 126 | 127) return 2 ;;
    esac
    case $said in *'file too large'*) said="rclone:$from: sends more than the $most bytes that are due"; return 2 ;; esac
    case $said in *'directory not found'* | *'object not found'* | *"didn't find section"* | *'no space left'*) return 2 ;; esac
    return 1
}

# The digest of a blob is that of the file: blobs are named by the manifest, which is the artifact's
# config, and a registry cannot choose paths.
get_oci() {
    reference=${1#oci://} path=$2 hash=$3 most=$4 file=$5
    set --
    if [ -n "$registry_config" ]; then set -- "$@" --registry-config "$registry_config"; fi
    if [ -n "$ca_file" ]; then set -- "$@" --ca-file "$ca_file"; fi
    if [ "$path" = manifest.json ]; then
        printed=$(bounded "$most" "$oras" manifest fetch-config "$@" --output "$file" "$reference" 2>&1 < /dev/null)
    else
        printed=$(bounded "$most" "$oras" blob fetch "$@" --output "$file" "${reference%@*}@sha256:$hash" 2>&1 < /dev/null)
    fi
    status=$?
    if [ "$status" -eq 0 ]; then return 0; fi
    said="$1: oras ended with exit status $status"
    said="oci://$reference, $path: $(printf '%s\n' "$printed" | sed 's/^Error: //' | grep . | tail -n 1)"
    case $said in *'not found'* | *unauthorized* | *denied* | *x509* | *'file too large'* | *'no space left'*) return 2 ;; esac
    case $status in 126 | 127) return 2 ;; esac
    return 1
}

get_file() {
    from=${1#file://}/$2 most=$4 file=$5
    if [ ! -f "$from" ]; then said="$from is no file on this node"; return 2; fi
    if [ "$(size_of "$from")" -gt "$most" ]; then
        said="$from has $(size_of "$from") bytes, the manifest says $most"
        return 2
    fi
    printed=$(bounded "$most" cp --reflink=auto -- "$from" "$file" 2>&1) && return 0
    said="$from: ${printed#cp: }"
    return 2
}
