# Puts a bundle into place, all of it or nothing. POSIX sh; sourced by the command that unpacked it.
# $stage holds this file, plan.sh and new/N/NAME; $home/pending holds a marker for each hook that is
# due. plan.sh calls `item N KIND PATH ...` and `hook KEY COMMAND`; each phase gives them a meaning.
# shellcheck disable=SC1091,SC2015,SC2154,SC2317  # home and stage are set; phases go by name

suffix=${stage##*.}
problems=
made=0
started=
stopped=

item() {
    number=$1 kind=$2 path=$3 parent=${3%/*}
    fresh=$parent/.${3##*/}.flightline.$suffix
    shift 3
    "${phase}_$kind" "$@"
}
hook() { "${phase}_hook" "$@"; }
walk() { phase=$1; plan; }

said() {
    text=$(tail -n 10 "$stage/log" | tr -cd '\012\040-\176' | tr '\n' ' ')
    text=${text% }
    printf '%s' "${text:-it said nothing}"
}
complain() { problems="${problems:+$problems
}$1"; }
stop_if_wrong() { [ -z "$problems" ] || stop "nothing was changed"; }

stop() { # OUTCOME: after putting everything back
    trap '' HUP INT TERM
    kept= stopped=yes
    walk undo
    while [ "$made" -gt 0 ]; do
        directory=$(cat "$stage/made/$made" && echo .)
        rmdir "${directory%.}" 2>/dev/null
        made=$((made - 1))
    done
    outcome=$1
    if [ -n "$kept" ]; then outcome="not all could be put back; the old files are kept in $stage"
    else again; rm -rf "$stage"; fi
    printf '%s\n' "$problems" | while read -r line; do printf '%s; %s\n' "$line" "$outcome" >&2; done
    exit 1
}

# --- sweep: what a run that was killed left beside the files
sweep_file() { rm -f "$fresh"; }
sweep_link() { rm -f "$fresh"; }
sweep_absent() { :; }
sweep_directory() { :; }

sweep() {
    for left in "$home"/bundle.*; do
        if [ "$left" = "$stage" ] || ! read -r pid < "$left/pid" || kill -0 "$pid"; then continue; fi
        (suffix=${left##*.} && . "$left/plan.sh" && walk sweep)
        rm -rf "$left"
    done 2>/dev/null
}

# --- check: the staged files get their mode and owner, and their programs read them
check_file() { # MODE OWNER GROUP NAME VALIDATE
    staged=$stage/new/$number/$4
    if ! { chown "$2:$3" "$staged" && chmod "$1" "$staged"; } >"$stage/log" 2>&1; then
        complain "$path cannot be given to $2:$3 with mode $1: $(said)"
    elif [ -n "$5" ] && ! run "$5"; then
        complain "$path failed validation by \`$(printf '%s\n' "$5" | head -n 1)\`: $(said)"
    fi
    refuse_directory
}
check_link() { refuse_directory; }
check_absent() { refuse_directory; }
check_directory() {
    if [ -L "$path" ] || { [ -e "$path" ] && [ ! -d "$path" ]; }; then
        complain "$path is not a directory"
    fi
}
refuse_directory() {
    if [ -d "$path" ] && [ ! -L "$path" ]; then complain "$path is a directory, expected a file"; fi
}
run() { # COMMAND; "$staged" is known to it
    (cd / && umask 022 && export staged && exec sh -c "$1") </dev/null >"$stage/log" 2>&1
}

# --- place: everything that needs room, beside the files, which stay as they are
place_file() {
    beside cp -p "$stage/new/$number/$4" "$fresh" && { sync "$fresh" || sync; } 2>/dev/null
}
place_link() { beside ln -s -- "$1" "$fresh"; }
place_absent() { keep || complain "$path cannot be kept: $(said)"; }
beside() {
    if make "$parent" && "$@" 2>"$stage/log" && keep; then return 0; fi
    complain "$path cannot be written: $(said)"
    return 1
}
keep() {
    if ! there "$path" || twin "$path" "$stage/old/$number"; then return 0; fi
    return 1
}
there() { [ -e "$1" ] || [ -L "$1" ]; }
twin() { ln "$1" "$2" 2>/dev/null || cp -Pp "$1" "$2" 2>"$stage/log"; }
place_directory() { # MODE OWNER GROUP
    if [ -d "$path" ]; then
        stat -c '%a %u:%g' "$path" >"$stage/old/$number"
    else
        make "$path"
    fi && { chown "$2:$3" "$path" && chmod "$1" "$path"; } 2>"$stage/log" ||
        complain "$path cannot be made with mode $1 and owner $2:$3: $(said)"
}
make() { # DIRECTORY and its parents, remembered so that they can be removed again
    if [ -z "$1" ] || [ -d "$1" ]; then return 0; fi
    make "${1%/*}" || return
    (umask 022 && mkdir "$1") 2>"$stage/log" || return
    made=$((made + 1))
    printf '%s' "$1" >"$stage/made/$made"
}

# --- mark: which hooks are due, before the first file changes
mark_hook() {
    # a marker that stands already is owed by an interrupted run: only success takes it away
    if [ ! -e "$home/pending/$1" ]; then true >"$stage/mine/$1"; fi
    { printf '%s\n' "$2" >"$home/pending/$1" && { sync "$home/pending/$1" || sync; }; } \
        2>"$stage/log" || complain "$home/pending cannot be written: $(said)"
}

# --- move: renames only
move_file() { move; }
move_link() { move; }
move() {
    if true >"$stage/moved/$number" && mv -fT "$fresh" "$path" 2>"$stage/log"; then
        relabel
    else
        complain "$path cannot be replaced: $(said)"
    fi
}
move_absent() {
    if ! { true >"$stage/moved/$number" && rm -f "$path"; } 2>"$stage/log"; then
        complain "$path cannot be removed: $(said)"
    fi
}
move_directory() { relabel; }
relabel() { # SELinux: the type that the policy gives to this path
    if selinuxenabled 2>/dev/null; then restorecon "$path" 2>/dev/null; fi
    return 0
}

# --- act: the hooks, in order; `again` once more for those that saw the new files
act_hook() {
    [ -z "$problems" ] || return 0
    started="$started $1"
    run "$2" && return
    code=$? title=$(printf '%s\n' "$2" | head -n 1)
    complain "hook \`$title\` failed with exit status $code: $(said)"
}
again_hook() {
    case $started in *" $1"*) run "$2" && return ;; *) return ;; esac
    outcome="$outcome, but the hook failed on them too: $(said)"
}
again() {
    if ls "$stage"/moved/* >/dev/null 2>&1; then phase=again; hooks; fi
    phase=clear
    hooks
}
clear_hook() {
    if [ -z "$stopped" ] || [ -e "$stage/mine/$1" ]; then rm -f "$home/pending/$1"; fi
}

# --- undo
undo_file() { put_back; }
undo_link() { put_back; }
undo_absent() { put_back; }
put_back() {
    rm -f "$fresh"
    if [ ! -e "$stage/moved/$number" ]; then return; fi
    if there "$stage/old/$number"; then
        { twin "$stage/old/$number" "$fresh" && mv -fT "$fresh" "$path"; } 2>/dev/null || kept=yes
        rm -f "$fresh" # two names of one file: renaming one to the other leaves both
    else
        rm -f "$path" || kept=yes
    fi
}
undo_directory() {
    if { read -r mode owner <"$stage/old/$number"; } 2>/dev/null; then
        chown "$owner" "$path" && chmod "$mode" "$path" || kept=yes
    fi
}

. "$stage/plan.sh"
trap 'complain "interrupted"; stop "the previous files are back"' HUP INT TERM
mkdir "$stage/old" "$stage/made" "$stage/moved" "$stage/mine" && true >"$stage/log" || {
    complain "$stage cannot be written"
    stop_if_wrong
}
sweep
walk check
stop_if_wrong
walk place
stop_if_wrong
phase=mark
hooks
stop_if_wrong
walk move
[ -z "$problems" ] || stop "the previous files are back"
phase=act
hooks
if [ -n "$problems" ]; then
    if [ -n "$empty" ]; then stop "it runs again next time"; fi
    stop "the previous files are back"
fi
trap '' HUP INT TERM
phase=clear
hooks
rm -rf "$stage"
exit 0
