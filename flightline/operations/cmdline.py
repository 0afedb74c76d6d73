"""Writing declared kernel arguments into the boot loader, each family with its own tool.

The declared arguments lie on the node as a list, one per line. Every argument that was ever in the
list is remembered beside it, so that one that is no longer declared is known as ours: it is taken
out of the boot loader (RHEL) and asks for a reboot while the running kernel still has it.
"""

from __future__ import annotations

from flightline.facts.cmdline import NEXT_BOOT

LIST = "/etc/flightline/kernel-arguments"
SEEN = "/var/lib/flightline/kernel-arguments.seen"

# A failed hook is named by its first line.
_TITLE = "# give every boot entry the declared kernel arguments"
_REMEMBER = f"cat {LIST} >> {SEEN} && sort -u -o {SEEN} {SEEN}"

# Debian and Ubuntu: /etc/default/grub.d/*.cfg is read by update-grub (GRUB 2.06).
_GRUB = f"""{_TITLE}
if ! command -v update-grub > /dev/null; then
    echo "there is no update-grub: this node does not boot through GRUB" >&2
    exit 1
fi
mkdir -p {SEEN.rpartition("/")[0]}
update-grub && {_REMEMBER}"""

# RHEL 9: boot entries follow the Boot Loader Specification; grubby edits them and, for kernels to
# come, /etc/kernel/cmdline (grubby 8.40-60 and later).
_GRUBBY = f"""{_TITLE}
mkdir -p {SEEN.rpartition("/")[0]}
touch {SEEN}
for old in $(grep -vxF -f {LIST} {SEEN} | grep -v '^#'); do
    grubby --update-kernel=ALL --remove-args="$old" || exit 1
done
grubby --update-kernel=ALL --args="$(grep -v '^#' {LIST} | tr '\\n' ' ')" && {_REMEMBER}"""


def update_boot_loader(family: str) -> str:
    """Return the command that gives every boot entry the listed arguments."""
    return {"debian": _GRUB, "rhel": _GRUBBY}[family]


# The head of both probes: the running kernel's arguments, and those of the next boot.
_RUNNING = (
    NEXT_BOOT
    + r"""
has() { case "$1" in *" $2 "*) return 0;; esac; return 1; }
running=" $(tr '\n' ' ' < /proc/cmdline) "
ahead=" $(next_boot 2> /dev/null | head -n 1 | tr '\n' ' ') "
"""
)

MISSING_PROBE = f"""{_RUNNING}
needed=1
while IFS= read -r argument; do
    case $argument in ''|'#'*) continue;; esac
    if has "$ahead" "$argument" && ! has "$running" "$argument"; then needed=0; fi
done < {LIST}
test "$needed" = 0"""
"""Exits 0 while the next boot brings a declared argument that the running kernel lacks."""

STALE_PROBE = f"""{_RUNNING}
needed=1
while IFS= read -r argument; do
    case $argument in ''|'#'*) continue;; esac
    grep -qxF -e "$argument" {LIST} && continue
    if has "$running" "$argument" && ! has "$ahead" "$argument"; then needed=0; fi
done < {SEEN}
test "$needed" = 0"""
"""Exits 0 while the running kernel has an argument of ours that is no longer declared."""
