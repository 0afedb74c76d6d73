# What the node has at the paths in "$@" (numbered from 0), for the lists in $contents, $targets
# and $markers (under $home). Two processes for all paths together; output is ASCII whatever the names are.
# shellcheck disable=SC2154,SC2209  # the caller sets the lists; kinds are words, not commands
LC_ALL=C
export LC_ALL
n=0
for path in "$@"; do
    if [ -L "$path" ]; then kind=link
    elif [ -f "$path" ]; then kind=file
    elif [ -d "$path" ]; then kind=directory
    elif [ -e "$path" ]; then kind=other
    else kind=absent
    fi
    echo "kind $n $kind"
    case " $contents " in *" $n "*)
        [ "$kind" != file ] || echo "content $n $(base64 < "$path" | tr -d '\n')" ;;
    esac
    case " $targets " in *" $n "*)
        [ "$kind" != link ] || echo "target $n $(readlink -- "$path" | base64 | tr -d '\n')" ;;
    esac
    shift
    [ "$kind" = absent ] || set -- "$@" "$path"
    n=$((n + 1))
done
[ $# = 0 ] || stat -c 'stat %a %u %U %g %G' -- "$@" || exit
for path in "$@"; do
    shift
    if [ -f "$path" ] && [ ! -L "$path" ]; then set -- "$@" "$path"; fi
done
[ $# = 0 ] || sha256sum -- "$@" || exit
for marker in $markers; do
    if [ -e "$home/pending/$marker" ]; then echo "pending $marker"; fi
done
echo end
