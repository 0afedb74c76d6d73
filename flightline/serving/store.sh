# Prints a node's model store: see store.py. Reads only; asks nothing of the role's own programs.
LC_ALL=C
export LC_ALL
fold() { base64 -w 0 "$1" 2>/dev/null; }

files() { # FOLDER: what differs from its manifest by name and size
    {
        sed -n 's/^{"path": "\([^"]*\)", "bytes": \([0-9]*\), .*/wanted \2 \1/p' "$1/manifest.json"
        find "$1" -mindepth 1 ! -type d ! -path "$1/manifest.json" \
            \( -type f -printf 'there %s %P\n' -o -printf 'there %y %P\n' \)
    } | awk -v of="$2" '
        { key = $0; sub(/^[a-z]+ /, "", key); size = key; sub(/ .*/, "", size); sub(/^[^ ]+ /, "", key) }
        $1 == "wanted" { bytes += size; count++; want[key] = size; next }
        { there[key] = size }
        END {
            printf "content %s %.0f %d\n", of, bytes, count
            for (key in want) if (!(key in there)) print "wrong", of, "missing", key
            for (key in there) {
                if (!(key in want)) print "wrong", of, "extra", key
                else if (want[key] != there[key]) print "wrong", of, there[key] "/" want[key], key
            }
        }' | sort | head -n 20
}

version() { # NAME VERSION
    seal=$records/$1/$2.verified
    if [ ! -f "$1/$2/manifest.json" ]; then
        echo "foreign $1 $2"
        return
    fi
    digest=$(sha256sum <"$1/$2/manifest.json")
    echo "version $1 $2 ${digest%% *}"
    files "$1/$2" "$1 $2"
    [ -f "$seal" ] || return 0
    seen=$(find "$1/$2" -mindepth 1 ! -type d -printf '%i %s %T@ %C@ %P\n' | sort | sha256sum)
    sealed=$(sed 1,3d "$seal" | sha256sum)
    boot=earlier
    if grep -q -x "boot $(cat /proc/sys/kernel/random/boot_id)" "$seal"; then boot=this; fi
    touched=no
    if [ "$seen" != "$sealed" ]; then touched=yes; fi
    echo "verified $1 $2 $(sed -n 's/^verified //p' "$seal") $(sed -n 's/^manifest //p' "$seal") $boot $touched"
}

readahead() {
    device=$(findmnt -n -o MAJ:MIN -T "$store" | tail -n 1 | tr -d ' ')
    for file in "/sys/dev/block/$device/queue/read_ahead_kb" "/sys/dev/block/$device/../queue/read_ahead_kb" \
        "/sys/class/bdi/$device/read_ahead_kb"; do
        if [ -w "$file" ]; then
            echo "readahead $(cat "$file")"
            return
        fi
    done
}

if [ -d "$store" ] && cd "$store"; then
    df -Pk . | awk 'NR == 2 { printf "room %.0f %.0f\n", $2 * 1024, $4 * 1024 }'
    readahead
    find . \( -name '.fetch-*' -prune \) -o ! -type l -printf '%m %u %g %P\n' | awk -v user="$owner" -v group="$group" '
        { mode = $1; last = substr(mode, length(mode)); middle = substr(mode, length(mode) - 1, 1) }
        $2 != user || $3 != group || last ~ /[2367]/ || middle ~ /[2367]/ {
            if (++count <= 5) { path = $0; sub(/^[^ ]+ [^ ]+ [^ ]+ ?/, "", path); print "loose", $1, $2, $3, path }
        }'
    for folder in */*/; do
        folder=${folder%/}
        case $folder in '*/*' | *[!A-Za-z0-9._/-]*) continue ;; esac
        [ -L "$folder" ] || version "${folder%/*}" "${folder#*/}"
    done
    for link in */current; do
        if [ -L "$link" ]; then echo "current ${link%/*} $(readlink "$link" | tr -c 'A-Za-z0-9._/\n-' '?')"; fi
    done
    for half in */.fetch-*; do
        [ -d "$half" ] || continue
        find "$half" -type f -printf '%s %T@\n' | awk -v of="${half%/*} ${half#*/.fetch-}" -v now="$(date +%s)" '
            { bytes += $1; if ($2 > last) last = $2 }
            END { printf "half %s %.0f %d\n", of, bytes, last ? now - last : 0 }'
    done
fi
systemctl show -p ActiveState,Result flightline-models-fetch.service 2>/dev/null | sed 's/=/ /; s/^/unit /'
sed 's/^/error /' "$run/errors" 2>/dev/null
for state in "$services"/*.json; do
    if [ -f "$state" ]; then
        file=${state##*/}
        echo "service ${file%.json} $(fold "$state")"
    fi
done
for file in $credentials; do
    stat -L -c 'credential %a %U %n' "$file" 2>/dev/null || echo "credential - - $file"
done
echo end
