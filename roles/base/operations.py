"""The node's name, its operators' accounts and keys, and what runs at login, as one operation.

pyinfra has an operation for each of these; each asks at least one question of its own, where one
command is enough to know that nothing is to do.
"""

from __future__ import annotations

import shlex
from collections.abc import Generator, Iterator

from pyinfra.api.operation import operation
from pyinfra.context import host

from flightline.operations.refusal import Refusal
from roles.base.facts import Account, Identity, NodeIdentity
from roles.base.settings import OperatorSettings


@operation()
def identity(
    hostname: str | None, operators: tuple[OperatorSettings, ...], *, dynamic_motd: bool
) -> Generator[str | Refusal, None, None]:
    """Give the node its name, its operators and a quiet login.

    Afterwards the kernel and /etc/hostname have `hostname` (None: left alone); every operator has
    an account, its groups and its keys, in files that sshd accepts; and unless `dynamic_motd`, no
    script runs at login. Nothing is taken away: accounts, groups and keys of others stay.
    """
    groups = sorted({group for operator in operators for group in operator.groups})
    names = [operator.name for operator in operators]
    found: Identity = host.get_fact(NodeIdentity, accounts=names, groups=groups)
    if refused := _refusal(found):
        yield Refusal(refused)
        return
    commands = [*_rename(found, hostname), *_make_groups(found, groups)]
    for operator in operators:
        commands += _account(found.accounts.get(operator.name), operator)
    if not dynamic_motd and found.motd_scripts:
        commands.append(f"chmod a-x {shlex.join(found.motd_scripts)}")
    if not commands:
        host.noop("name, operators and login are as declared")
    yield from commands


def _rename(found: Identity, hostname: str | None) -> Iterator[str]:
    """The file first: a node that loses power in between comes back with the new name."""
    if hostname is not None and found.static_name != hostname:
        yield (
            f"umask 022; printf '%s\\n' {hostname} > /etc/.hostname.flightline "
            "&& mv -f /etc/.hostname.flightline /etc/hostname"
        )
    if hostname is not None and found.kernel_name != hostname:
        yield f"printf %s {hostname} > /proc/sys/kernel/hostname"


def _make_groups(found: Identity, groups: list[str]) -> Iterator[str]:
    for group in groups:
        if group not in found.groups:
            yield f"groupadd --force --system {group}"


def _account(found: Account | None, operator: OperatorSettings) -> Iterator[str]:
    """`*` as password: none fits, yet the account is not locked, which sshd would refuse."""
    name, groups = operator.name, ",".join(operator.groups)
    if found is None:
        joined = f"--groups {groups} " if groups else ""
        yield (
            f"useradd --create-home --user-group --password '*' --shell {operator.shell} "
            f"{joined}{name}"
        )
    elif missing := [group for group in operator.groups if group not in found.groups]:
        yield f"usermod --append --groups {','.join(missing)} {name}"
    keys = [key for key in operator.authorized_keys if found is None or not _has(found, key)]
    if keys or (found is not None and not _is_safe(found, name)):
        yield _write_keys(name, keys)


def _has(found: Account, key: str) -> bool:
    """The key itself counts, not its comment, and options in front of it are the site's."""
    kind, blob = key.split()[:2]
    return any(f"{kind} {blob}" in " ".join(line.split()) for line in found.keys)


def _is_safe(found: Account, name: str) -> bool:
    """Whether sshd's StrictModes accepts the files; those that do not exist need nothing."""
    wanted = {f"{found.home}/.ssh": "700", f"{found.home}/.ssh/authorized_keys": "600"}
    return all(
        found.paths[path] == (mode, name) for path, mode in wanted.items() if path in found.paths
    )


def _refusal(found: Identity) -> str:
    """Why root leaves these accounts alone; empty when nothing is in the way."""
    links = [account.link for account in found.accounts.values() if account.link]
    if not links:
        return ""
    return (
        f"{', '.join(links)}: is a symbolic link, expected the account's own folder or file, since "
        "root would write wherever it points; replace it by what it points to."
    )


# As root, in the home and then in .ssh, each held as the working directory: a link that is put in
# its place meanwhile shows in `pwd -P`, and has no effect afterwards.
_HOLD_FOLDER = (
    'cd -P "$home" && top=$(pwd -P) && { [ -d .ssh ] || mkdir -m 700 .ssh; } && cd -P .ssh && '
    '{ [ "$(pwd -P)" = "${top%/}/.ssh" ] || { echo "$home/.ssh is a symbolic link" >&2; false; }; }'
)
# As the account, in .ssh: reads and writes no more than the account may.
_ADD_KEYS = (
    "umask 077; file=authorized_keys; new=$(mktemp ./.keys.XXXXXX) || exit; "
    "trap 'rm -f \"$new\"' EXIT; "
    '{ if [ -f "$file" ]; then chmod 600 "$file" && sed -e \'$a\\\' "$file"; fi && '
    'for key; do grep -qsxF -e "$key" "$file" || printf \'%s\\n\' "$key"; done; } > "$new" && '
    'mv -f "$new" "$file"'
)


def _write_keys(name: str, keys: list[str]) -> str:
    """Add keys through a temporary file and a rename: at no moment is the file without them."""
    return (
        f"home=$(getent passwd {name} | cut -d: -f6) && group=$(id -gn {name}) && "
        f"{_HOLD_FOLDER} && "
        f'chown {name}:"$group" . && chmod 700 . && '
        f'{{ [ ! -f authorized_keys ] || chown -h {name}:"$group" authorized_keys; }} && '
        f"runuser -u {name} -- {shlex.join(['sh', '-c', _ADD_KEYS, 'sh', *keys])} && "
        "{ ! command -v restorecon > /dev/null || restorecon -R .; }"
    )
