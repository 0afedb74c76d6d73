# Managed by Flightline, role models; edits are lost.
# What model-fetch and model-verify share: settings, manifests, hashes, records.
LC_ALL=C
export LC_ALL
umask 022
conf=${FLIGHTLINE_MODELS_CONF:-/etc/flightline/models/settings}
[ -r "$conf" ] || { echo "$conf cannot be read; apply the role models first." >&2; exit 2; }
. "$conf"
manifest_bytes_max=4194304

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

work=$(mktemp -d "${TMPDIR:-/tmp}/flightline-models.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# digest_of FILE: its sha256 alone. OpenSSL uses the processor's SHA instructions, sha256sum of
# Debian does not: 1.8 against 0.4 GB/s on one core (2026-11-21).
digest_of() {
    if command -v openssl > /dev/null 2>&1; then
        openssl dgst -sha256 -r "$1"
    else
        sha256sum "$1"
    fi | sed -n -E '1s/^\\?([0-9a-f]{64}) .*/\1/p'
}

# expected_of NAME VERSION: digest that the version's manifest must have; nothing when nobody said.
expected_of() {
    found=$(awk -v name="$1" -v version="$2" '$1 == name && $2 == version { print $3; exit }' "$declared" 2> /dev/null)
    if [ -z "$found" ]; then found=$(cat "$records/$1/$2.manifest" 2> /dev/null); fi
    printf '%s' "$found"
}

is_declared() {
    awk -v name="$1" -v version="$2" '$1 == name && $2 == version { found = 1 } END { exit !found }' "$declared"
}

is_name() {
    case $1 in '' | [!A-Za-z0-9]* | *[!A-Za-z0-9._-]* | current) return 1 ;; esac
}

# list_of MANIFEST NAME VERSION: one line for each file, "sha256 bytes path". Refuses whatever
# `flightline model publish` would not have written: it reads no other JSON.
list_of() {
    opening=$(printf '{\n"schema": "flightline.model/1",\n"name": "%s",\n"version": "%s",\n"files": [' "$2" "$3")
    if [ "$(head -n 5 "$1")" != "$opening" ] || [ "$(tail -n 2 "$1")" != "$(printf ']\n}')" ]; then
        echo "its manifest is not one of $2 $3 as \`flightline model publish\` writes it" >&2
        return 1
    fi
    sed '1,5d' "$1" | sed '$d' | sed '$d' > "$work/lines"
    part='[A-Za-z0-9_.][A-Za-z0-9_.=@,+-]{0,199}'
    sed -n -E "s|^\{\"path\": \"($part(/$part){0,15})\", \"bytes\": (0\|[1-9][0-9]{0,14}), \"sha256\": \"([0-9a-f]{64})\"\},?\$|\4 \3 \1|p" \
        "$work/lines" > "$work/list"
    cut -d ' ' -f 3 "$work/list" > "$work/paths"
    count=$(wc -l < "$work/list")
    if [ "$count" -ne "$(wc -l < "$work/lines")" ] || [ "$count" -eq 0 ] || [ "$count" -gt 10000 ] ||
        grep -q -E '(^|/)\.\.?(/|$)|^manifest\.json$' "$work/paths" || ! sort -c -u "$work/paths" 2> /dev/null; then
        echo "its manifest names files in a way that Flightline never writes" >&2
        return 1
    fi
    cat "$work/list"
}

# shape_of FOLDER LIST: a sentence for each file that is missing, too many, or of another size.
shape_of() {
    { cut -d ' ' -f 2- "$2"; echo "$(stat -c %s "$1/manifest.json") manifest.json"; } > "$work/wanted"
    find "$1" -mindepth 1 ! -type d \( -type f -printf '%s %P\n' -o -printf 'x %P\n' \) > "$work/there"
    awk '
        { gap = index($0, " "); size = substr($0, 1, gap - 1); path = substr($0, gap + 1) }
        FNR == NR { want[path] = size; next }
        { there[path] = 1 }
        !(path in want) { print path " is not in its manifest"; next }
        size == "x" { print path " is no regular file"; next }
        size != want[path] { print path " has " size " bytes, expected " want[path] }
        END { for (path in want) if (!(path in there)) print path " is missing" }
    ' "$work/wanted" "$work/there"
}

# hashes_of FOLDER LIST: a sentence for each file whose content is not the list's; the largest first,
# on all processors. It also reads the weights into the page cache, where the engine wants them next.
hashes_of() {
    batch=1
    # Seven lines of the longest path fit one atomic write to a pipe.
    if [ "$(wc -l < "$2")" -gt 256 ]; then batch=7; fi
    program='sha256sum --'
    if command -v openssl > /dev/null 2>&1; then program='openssl dgst -sha256 -r'; fi
    (cd "$1" && sort -k 2,2nr "$2" | cut -d ' ' -f 3 |
        xargs -r -d '\n' -n "$batch" -P "${jobs:-$(nproc)}" $program 2> /dev/null) |
        sed -E 's/^([0-9a-f]{64}) [ *]/\1 /' > "$work/hashed"
    awk '
        FNR == NR { hash[$2] = $1; next }
        !($3 in hash) { print $3 " cannot be read"; next }
        hash[$3] != $1 { print $3 " has sha256 " hash[$3] ", expected " $1 }
    ' "$work/hashed" "$2"
}

# told: the first three of its input lines as one, and how many more there are.
told() {
    awk 'NR <= 3 { text = text (NR > 1 ? "; " : "") $0 } END { print text (NR > 3 ? "; and " NR - 3 " more" : "") }'
}

# seen FOLDER: what changes with any write through the file system, and that nobody can put back:
# inode, size, times of content and of inode.
seen() {
    find "$1" -mindepth 1 ! -type d -printf '%i %s %T@ %C@ %P\n' | sort
}

# settle FOLDER: wait until no file is so young that a write could leave its times as they are; the
# kernel's clock for files ticks every 1 to 10 ms (CONFIG_HZ).
settle() {
    if [ -n "$(find "$1" -newerct '1 second ago' -print -quit)" ]; then sleep 0.1; fi
}

# check NAME VERSION FOLDER DIGEST [WHEN]: hash every file, or, as WHEN allows, believe the record; a
# sentence and status 1 for what is wrong. WHEN: ModelsSettings.verify; always when not given.
# Leaves what was seen in $work/seen.
check() {
    if [ ! -f "$3/manifest.json" ] || [ -L "$3/manifest.json" ]; then
        echo "it has no manifest.json"
        return 1
    fi
    if [ "$(stat -c %s "$3/manifest.json")" -gt "$manifest_bytes_max" ]; then
        echo "its manifest.json is larger than $manifest_bytes_max bytes"
        return 1
    fi
    found=$(digest_of "$3/manifest.json")
    if [ "$found" != "$4" ]; then
        echo "its manifest has sha256 $found, expected $4 (ModelVersion.manifest_sha256)"
        return 1
    fi
    list_of "$3/manifest.json" "$1" "$2" 2>&1 > "$work/checked" || return 1
    shape_of "$3" "$work/checked" > "$work/problems"
    if [ -s "$work/problems" ]; then told < "$work/problems"; return 1; fi
    seen "$3" > "$work/seen"
    if is_recorded "$1" "$2" "$4" "${5:-always}"; then return 0; fi
    settle "$3"
    hashes_of "$3" "$work/checked" > "$work/problems"
    if [ -s "$work/problems" ]; then told < "$work/problems"; return 1; fi
    if ! seen "$3" | cmp -s - "$work/seen"; then echo "it changed while it was read"; return 1; fi
    record "$1" "$2" "$4"
}

this_boot() { cat /proc/sys/kernel/random/boot_id; }

# is_recorded NAME VERSION DIGEST WHEN: it was hashed, and no file was touched since.
is_recorded() {
    seal=$records/$1/$2.verified
    [ -f "$seal" ] && [ "$(sed -n 1p "$seal")" = "manifest $3" ] || return 1
    case $4 in
        once-per-boot) [ "$(sed -n 3p "$seal")" = "boot $(this_boot)" ] || return 1 ;;
        on-change) ;;
        *) return 1 ;;
    esac
    sed 1,3d "$seal" | cmp -s - "$work/seen"
}

# record NAME VERSION DIGEST: remember what was seen; where it cannot be written, the next
# verification hashes again.
record() {
    (
        umask 077
        mkdir -p "$records/$1" && printf '%s\n' "$3" > "$records/$1/.$2.manifest" &&
            mv -f "$records/$1/.$2.manifest" "$records/$1/$2.manifest" &&
            {
                echo "manifest $3"
                echo "verified $(date -u +%Y-%m-%dT%H:%M:%SZ)"
                echo "boot $(this_boot)"
                cat "$work/seen"
            } > "$records/$1/.$2.verified" && mv -f "$records/$1/.$2.verified" "$records/$1/$2.verified"
    ) 2> /dev/null || return 0
}
