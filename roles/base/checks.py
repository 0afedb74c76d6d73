"""What must hold of a node's packages, name, locale and file systems; the rest by topic beside."""

from __future__ import annotations

import shlex

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable, unknown
from roles.base import access_checks, login_checks, sshd_checks, time_checks, upkeep_checks
from roles.base.distributions import DEBIAN, RHEL
from roles.base.settings import BaseSettings

__all__ = ["access_checks", "login_checks", "sshd_checks", "time_checks", "upkeep_checks"]

APPLY = "run `flightline apply`"
ROOM = "df -Pk / | tail -n 1; df -Pi / | tail -n 1"
DISKS = (
    "findmnt -rn -o TARGET,OPTIONS -t ext2,ext3,ext4,xfs,btrfs,f2fs; echo; "
    "findmnt -rn --fstab -o TARGET,OPTIONS"
)


@check(
    "base-packages-installed",
    "every package of the role is installed",
    severity=ERROR,
    remedy=APPLY,
)
def packages_installed(host: Host, base: BaseSettings) -> None:
    names = sorted({*DEBIAN.packages, *RHEL.packages, *base.packages})
    listed = shlex.join(names)
    answer = host.run(
        "if command -v dpkg-query > /dev/null; then "
        f"echo debian; dpkg-query -W -f '${{Package}} ${{db:Status-Status}}\\n' {listed}; "
        f"else echo rhel; rpm -q --qf '%{{NAME}} installed\\n' {listed}; fi 2> /dev/null"
    )
    family, *lines = answer.stdout.splitlines()
    wanted = {*(DEBIAN if family == "debian" else RHEL).packages, *base.packages}
    missing = sorted(name for name in wanted if f"{name} installed" not in lines)
    assert not missing, (
        f"{', '.join(missing)} not installed, expected the packages of roles/base/distributions.py "
        f"and those of BaseSettings.packages; {APPLY}."
    )


@check(
    "base-packages-consistent",
    "no package is half installed",
    severity=ERROR,
    remedy="run `dpkg --configure -a`, then `apt-get -f install`, on the node",
)
def packages_consistent(host: Host, _: BaseSettings) -> None:
    answer = host.run(
        "if command -v dpkg > /dev/null; then dpkg --audit; "
        "for update in /var/lib/dpkg/updates/[0-9]*; do "
        '[ ! -e "$update" ] || echo " interrupted update of dpkg"; done; else echo none; fi'
    )
    if answer.stdout.strip() == "none":
        not_applicable("the node has no dpkg; rpm keeps no half-installed state.")
    broken = [line.split()[0] for line in answer.stdout.splitlines() if line.startswith(" ")]
    assert not answer.stdout.strip(), (
        f"dpkg --audit names {', '.join(broken) or answer.stdout.split()[0]}, expected nothing; "
        "run `dpkg --configure -a` on the node."
    )


@check(
    "base-hostname-declared",
    "the node has the declared name, now and after a reboot",
    severity=ERROR,
    remedy=APPLY,
)
def hostname_declared(host: Host, base: BaseSettings) -> None:
    wanted = base.hostname_of(host.backend.get_hostname())
    if wanted is None:
        not_applicable("no name is declared (BaseSettings.hostname is None).")
    names = host.run("cat /proc/sys/kernel/hostname /etc/hostname").stdout.split()
    running, stored = (*names, "", "")[:2]
    assert running == wanted == stored, (
        f"the kernel's name is {running!r} and that of /etc/hostname {stored!r}, expected "
        f"{wanted!r} (BaseSettings.hostname); {APPLY}."
    )


@check(
    "base-hostname-resolves",
    "the node finds an address for its own name",
    severity=ERROR,
    remedy="declare BaseSettings.hostname or an entry in BaseSettings.hosts, then apply",
    depends=("base-hostname-declared",),
)
def hostname_resolves(host: Host, _: BaseSettings) -> None:
    """Distributed jobs look up their own name to meet; sudo does at every command."""
    answer = host.run('timeout 5 getent ahosts "$(cat /proc/sys/kernel/hostname)"')
    assert answer.rc == 0 and answer.stdout.strip(), (
        "the node's own name has no address, expected one from /etc/hosts or DNS; declare "
        "BaseSettings.hostname or an entry in BaseSettings.hosts."
    )


@check(
    "base-timezone-declared",
    "clocks are shown in the declared time zone",
    severity=WARNING,
    remedy=APPLY,
)
def timezone_declared(host: Host, base: BaseSettings) -> None:
    zone = f"/usr/share/zoneinfo/{base.timezone}"
    same = host.run(f"date +%Z%z; readlink -f /etc/localtime; cmp -s /etc/localtime {zone}")
    shown = same.stdout.split()
    assert same.rc == 0, (
        f"the node's zone is {' of '.join(shown)}, expected {base.timezone} "
        f"(BaseSettings.timezone); {APPLY}."
    )


@check(
    "base-locale-declared",
    "a login session has the declared locale, and the system knows it",
    severity=WARNING,
    remedy=APPLY,
)
def locale_declared(host: Host, base: BaseSettings) -> None:
    answer = host.run("""su -l root -c 'echo "$LANG"; locale charmap' 2> /dev/null""")
    lang, charmap = (*answer.stdout.split()[-2:], "", "")[:2]
    assert (lang, charmap) == (base.locale, "UTF-8"), (
        f"a login session has LANG={lang!r} and character map {charmap!r}, expected {base.locale} "
        f"with UTF-8 (BaseSettings.locale); {APPLY}."
    )


@check(
    "base-root-space",
    "the root file system has room, in blocks and in inodes",
    severity=ERROR,
    remedy="find what grew: `du -xh / | sort -h | tail`",
)
def root_space(host: Host, base: BaseSettings) -> None:
    least = base.root_free_min_percent
    lines = [line.split() for line in host.run(ROOM).stdout.splitlines()]
    if [len(fields) for fields in lines] != [6, 6]:
        unknown("df gave no two lines for /.")
    for kind, fields in zip(("space", "inodes"), lines, strict=True):
        total, free = int(fields[1]), int(fields[3])
        share = 100 * free / total if total else 100.0  # btrfs counts no inodes
        assert share >= least, (
            f"{share:.1f} % of the {kind} of / is free, expected at least {least} % "
            "(BaseSettings.root_free_min_percent); find what grew with `du -xh / | sort -h | tail`."
        )


@check(
    "base-filesystems-writable",
    "no file system on a disk went read-only",
    severity=CRITICAL,
    remedy="read `journalctl -k | grep -i ext4`, replace the disk, reboot",
)
def filesystems_writable(host: Host, _: BaseSettings) -> None:
    """A kernel that meets an error on a disk mounts it read-only and goes on."""
    mounted, _separator, declared = host.run(DISKS).stdout.partition("\n\n")
    gone = sorted(_read_only(mounted) - _read_only(declared))
    assert mounted.strip() and not gone, (
        f"read-only: {', '.join(gone) or 'no file system found'}, expected writable unless fstab "
        "says ro; see the kernel's log for the disk's errors."
    )


def _read_only(table: str) -> set[str]:
    rows = [line.split(maxsplit=1) for line in table.splitlines()]
    return {row[0] for row in rows if "ro" in row[-1].split(",")}


@check(
    "base-units-healthy",
    "no systemd unit has failed",
    severity=ERROR,
    remedy="read `systemctl status UNIT`; mend the cause, then `systemctl reset-failed UNIT`",
)
def units_healthy(host: Host, _: BaseSettings) -> None:
    answer = host.run("systemctl list-units --failed --plain --no-legend --no-pager")
    failed = [line.split()[0] for line in answer.stdout.splitlines() if line.strip()]
    assert answer.rc == 0 and not failed, (
        f"failed: {', '.join(failed) or answer.stderr.strip()}, expected none; read "
        "`systemctl status` of each."
    )
