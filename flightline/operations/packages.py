"""Packages as wanted: one query for all of them, and the package manager only when one differs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import operation
from pyinfra.context import host

from flightline.operations.refusal import Refusal

LOCK_WAIT_SECONDS = 120
"""How long apt waits for another package manager, such as the upgrade at a first boot."""

_QUERY = """\
LC_ALL=C; export LC_ALL
if command -v dpkg-query >/dev/null; then
    echo manager apt
    dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n' -- "$@" 2>/dev/null
elif command -v rpm >/dev/null; then
    echo manager dnf
    rpm -q --qf 'ii %{NAME} %{EVR}\\n' -- "$@" 2>/dev/null | grep '^ii '
    sed 's/^/lock /' /etc/dnf/plugins/versionlock.list 2>/dev/null
fi
echo end"""


@dataclass(frozen=True)
class Installed:
    """What is installed of the packages asked for, and which of them no upgrade touches."""

    manager: str
    """apt, dnf, or empty when the node has neither."""
    versions: dict[str, str]
    held: frozenset[str]


class Packages(FactBase[Installed | None]):
    """State of the packages called `names`; None when it could not be read."""

    def command(self, names: Sequence[str]) -> str:
        """Return the one query, of these packages alone: a whole dpkg list is half a megabyte."""
        return f"{shlex.join(['set', '--', *names])}\n{_QUERY}"

    def process(self, output: list[str]) -> Installed:
        """Return the record; raises FactProcessError when the output is cut short."""
        try:
            return parse_packages(output)
        except ValueError as error:
            raise FactProcessError(f"the packages cannot be read: {error}") from error


def parse_packages(lines: Sequence[str]) -> Installed:
    """Return what the query said.

    Real lines: `ii  chrony 4.3-2+deb12u1` and, held, `hi  docker.io 20.10.24+dfsg1-1+deb12u1`
    (dpkg 1.21, Debian 12); the first letter is what was asked for, the second what is. Locks are
    lines of dnf's versionlock.list such as `docker-ce-3:27.3.1-1.el9.*`. Raises ValueError when
    the end is missing.
    """
    if "end" not in lines:
        raise ValueError("the answer is cut short")
    manager, versions, held, locks = "", {}, set(), []
    for words in map(str.split, lines):
        match words:
            case ["manager", name]:
                manager = name
            case ["lock", lock]:
                locks.append(lock)
            case [status, name, version] if status[1:2] == "i":
                versions[name] = version
                held |= {name} if status.startswith("h") else set()
    held |= {name for name in versions if any(_is_lock_of(lock, name) for lock in locks)}
    return Installed(manager, versions, frozenset(held))


def _is_lock_of(lock: str, name: str) -> bool:
    return re.match(rf"{re.escape(name)}-\d", lock) is not None


@operation()
def installed(
    packages: Sequence[str], absent: Sequence[str] = (), hold: Sequence[str] = ()
) -> Generator[StringCommand]:
    """Every package is installed, absent or held as wanted.

    + packages: real names (no virtual ones), or name=version for exactly that version
    + absent: to be removed; their configuration files stay
    + hold: of the installed, those that no upgrade may touch; a hold not named here stays

    One remote command when nothing differs. Otherwise the index is refreshed and the missing are
    installed without recommendations, keeping configuration files as they are; apt waits at most
    LOCK_WAIT_SECONDS for another package manager. pyinfra's own apt.packages would first fetch the
    whole dpkg list and can neither wait for the index's lock nor hold.
    """
    names = tuple(dict.fromkeys([*map(_name, packages), *absent, *hold]))
    if not names:
        host.noop("no package is declared")
        return
    found = host.get_fact(Packages, names=names)
    if found is None or found.manager not in _MANAGERS:
        yield Refusal("The node did not list its packages; Flightline knows apt and dnf.")
        return
    wrong = tuple(package for package in packages if not _is_there(package, found))
    unwanted = tuple(name for name in absent if name in found.versions)
    unheld = tuple(name for name in hold if name not in found.held)
    if not (wrong or unwanted or unheld):
        host.noop(f"{len(packages)} packages are as declared")
        return
    yield from _MANAGERS[found.manager](wrong, unwanted, unheld)


def _name(package: str) -> str:
    return package.partition("=")[0]


def _is_there(package: str, found: Installed) -> bool:
    name, _, version = package.partition("=")
    return name in found.versions and version in ("", found.versions[name])


REFRESH_MINUTES = 60
"""An index of this age is not refreshed, unless something under /etc/apt is newer than it: three
roles in one run need one refresh, which took 100 s on an emulated node (Debian 12, 2026-11-21)."""

# The index has a lock of its own, which apt-get update does not wait for.
_APT = """\
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
export NEEDRESTART_SUSPEND=1 # on Ubuntu it would restart services after any installation
apt() {
    apt-get -y -q -o DPkg::Lock::Timeout="$wait_seconds" \\
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}
stamp=${FLIGHTLINE_APT_STAMP:-/var/lib/flightline/apt-refreshed}
is_fresh() {
    [ -n "$(find "$stamp" -mmin -"$refresh_minutes" 2>/dev/null)" ] &&
        [ -z "$(find /etc/apt -newer "$stamp" 2>/dev/null)" ]
}
refresh() {
    if is_fresh; then return; fi
    waited=0
    (umask 077 && mkdir -p "${stamp%/*}")
    until said=$(apt-get -q update 2>&1 && touch "$stamp"); do
        case $said in *"Could not get lock"*) ;; *) break ;; esac
        [ "$waited" -lt "$wait_seconds" ] || break
        sleep 3
        waited=$((waited + 3))
    done
}
"""

APT_SHELL = f"wait_seconds={LOCK_WAIT_SECONDS}\nrefresh_minutes={REFRESH_MINUTES}\n{_APT}"
"""Shell functions for others: `refresh` the index, `apt` as every role calls it."""


def _apt(
    wrong: Sequence[str], unwanted: Sequence[str], unheld: Sequence[str]
) -> Generator[StringCommand]:
    script = APT_SHELL
    if unwanted:
        yield StringCommand(
            f"{script}apt remove --allow-change-held-packages {shlex.join(unwanted)}"
        )
    if wrong:
        options = "--no-install-recommends --allow-downgrades --allow-change-held-packages"
        install = f"apt install {options} {shlex.join(wrong)}"
        yield StringCommand(
            f'{script}refresh\n{install} || {{ printf "%s\\n" "$said" >&2; exit 1; }}'
        )
    if unheld:
        yield StringCommand(f"apt-mark hold {shlex.join(unheld)}")


def _dnf(
    wrong: Sequence[str], unwanted: Sequence[str], unheld: Sequence[str]
) -> Generator[StringCommand]:
    if unwanted:
        yield StringCommand(f"dnf -y remove {shlex.join(unwanted)}")
    if wrong:
        specs = [package.replace("=", "-") for package in wrong]
        yield StringCommand(
            f"dnf -y --refresh --setopt=install_weak_deps=False install {shlex.join(specs)}"
        )
    if unheld:
        plugin = "rpm -q python3-dnf-plugin-versionlock >/dev/null"
        install = "dnf -y install python3-dnf-plugin-versionlock"
        yield StringCommand(
            f"{{ {plugin} || {install}; }} && dnf -y versionlock add {shlex.join(unheld)}"
        )


_MANAGERS = {"apt": _apt, "dnf": _dnf}
