"""Who a node is: its name, its operators, what runs at every login; one remote command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyinfra.api.facts import FactBase

# Records of tab-separated fields. The key file is the one of sshd's default AuthorizedKeysFile. It
# is read as the account: root would follow a link of the account's to any file of the node.
_SCRIPT = r"""
say() { printf '%s' "$1"; shift; [ $# -eq 0 ] || printf '\t%s' "$@"; echo; }
read_as() { if [ "$(id -u)" = 0 ]; then runuser -u "$1" -- cat "$2"; else cat "$2"; fi; }
say kernel_name "$(cat /proc/sys/kernel/hostname)"
say static_name "$(cat /etc/hostname 2>/dev/null)"
for file in /etc/update-motd.d/*; do [ -f "$file" ] && [ -x "$file" ] && say motd "$file"; done
for group in $groups; do getent group "$group" >/dev/null && say group "$group"; done
for name in $names; do
    entry=$(getent passwd "$name") || continue
    home=$(printf '%s' "$entry" | cut -d: -f6)
    say account "$name" "$home" "$(id -Gn "$name")" "$(id -gn "$name")"
    for path in "$home" "$home/.ssh" "$home/.ssh/authorized_keys"; do
        [ "$path" != "$home" ] && [ -L "$path" ] && say link "$name" "$path" && continue 2
        [ -e "$path" ] && say path "$name" "$path" "$(stat -c '%a %U' "$path")"
    done
    [ -f "$path" ] && read_as "$name" "$path" </dev/null 2>/dev/null |
        sed -n "s/^[[:space:]]*\([^#[:space:]].*\)/key\t$name\t\1/p"
done
:
"""


@dataclass(frozen=True)
class Account:
    """An operator's account as the node has it."""

    home: str
    groups: tuple[str, ...]
    primary_group: str
    keys: tuple[str, ...] = ()
    """Lines of authorized_keys, comments left out."""
    paths: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Mode and owner of the home, .ssh and authorized_keys, as far as they exist."""
    link: str | None = None
    """The .ssh or authorized_keys that is a symbolic link; nothing behind it was looked at."""


@dataclass(frozen=True)
class Identity:
    """A node's names, the declared operators that it has, and the scripts run at each login."""

    kernel_name: str
    static_name: str
    groups: tuple[str, ...] = ()
    accounts: dict[str, Account] = field(default_factory=dict)
    motd_scripts: tuple[str, ...] = ()


def parse_identity(lines: Sequence[str]) -> Identity:
    """Return the record that the script's output describes.

    One real line: `account\tflightline\t/home/flightline\tflightline sudo\tflightline`.
    """
    rows = [line.split("\t") for line in lines if line]

    def of(kind: str) -> list[list[str]]:
        return [row[1:] for row in rows if row[0] == kind]

    keys = [(row[0], "\t".join(row[1:]).strip()) for row in of("key")]
    return Identity(
        kernel_name="".join(of("kernel_name")[0]) if of("kernel_name") else "",
        static_name="".join(of("static_name")[0]) if of("static_name") else "",
        groups=tuple(row[0] for row in of("group")),
        motd_scripts=tuple(row[0] for row in of("motd")),
        accounts={
            name: Account(
                home=home,
                groups=tuple(groups.split()),
                primary_group=primary,
                keys=tuple(key for owner, key in keys if owner == name),
                paths={
                    path: (mode_owner.split()[0], mode_owner.split()[1])
                    for owner, path, mode_owner in of("path")
                    if owner == name
                },
                link=dict(of("link")).get(name),
            )
            for name, home, groups, primary in of("account")
        },
    )


class NodeIdentity(FactBase[Identity]):
    """The names of the node and what it knows of these operators and groups."""

    def command(self, accounts: Sequence[str], groups: Sequence[str]) -> str:
        """Return the one script that asks everything."""
        return (
            f"export LC_ALL=C; names={shlex.quote(' '.join(accounts))}; "
            f"groups={shlex.quote(' '.join(groups))}; {_SCRIPT}"
        )

    def process(self, output: list[str]) -> Identity:
        """Return the record."""
        return parse_identity(output)
