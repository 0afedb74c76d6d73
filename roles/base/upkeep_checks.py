"""What must hold of what a node does by itself: upgrades and its journal."""

from __future__ import annotations

import json
import re

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, not_applicable, unknown
from roles.base.distributions import DEBIAN, RHEL
from roles.base.settings import BaseSettings

APPLY = "run `flightline apply`"
TIMERS = (*DEBIAN.upgrade_timers, *RHEL.upgrade_timers)
CONFIG = "systemd-analyze cat-config systemd/journald.conf"
# journald's own report on its limits, at its start and at each flush (systemd, sd-messages.h,
# SD_MESSAGE_JOURNAL_USAGE).
USAGE = (
    "journalctl -q -b --no-pager -o json --output-fields=MAX_USE,JOURNAL_NAME -n 4 "
    "MESSAGE_ID=ec387f577b844b8fa948f33cad9a75e6"
)


@check(
    "base-upgrades-blocklist",
    "automatic upgrades never touch driver, kernel, fabric or container runtime",
    severity=CRITICAL,
    remedy=APPLY,
)
def upgrades_blocklist(host: Host, base: BaseSettings) -> None:
    """Asked of apt itself, which merges all of apt.conf.d: a later file can clear the list."""
    answer = host.run(
        "if command -v apt-config > /dev/null; "
        "then apt-config dump Unattended-Upgrade::Package-Blacklist; "
        "elif rpm -q --quiet dnf-automatic; then grep '^excludepkgs' /etc/dnf/automatic.conf; "
        "else echo none; fi"
    )
    if answer.stdout.strip() == "none":
        not_applicable("dnf-automatic is not installed: nothing upgrades by itself.")
    found = {word.rstrip("*") for word in re.findall(r'[\w.*-]+(?=[",\s]|$)', answer.stdout)}
    missing = [prefix for prefix in base.upgrade_blocklist if prefix not in found]
    assert not missing, (
        f"automatic upgrades may touch {', '.join(missing)}, expected all of "
        f"BaseSettings.upgrade_blocklist to be left alone; {APPLY}."
    )


@check(
    "base-upgrades-timers",
    "automatic upgrades run, or do not, as declared",
    severity=ERROR,
    remedy=APPLY,
)
def upgrades_timers(host: Host, base: BaseSettings) -> None:
    command = f"systemctl show {' '.join(TIMERS)} -p Id,LoadState,ActiveState,UnitFileState"
    blocks = host.run(command).stdout.strip().split("\n\n")
    units = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
    there = [unit for unit in units if unit.get("LoadState") == "loaded"]
    if len(units) != len(TIMERS):
        unknown(f"systemd answered for {len(units)} of {len(TIMERS)} timers.")
    on = [u["Id"] for u in there if u["ActiveState"] == "active" or u["UnitFileState"] == "enabled"]
    off = [
        u["Id"] for u in there if u["ActiveState"] != "active" or u["UnitFileState"] != "enabled"
    ]
    if base.automatic_upgrades:
        assert there and not off, (
            f"{', '.join(off) or 'no timer'} is off, expected automatic upgrades "
            f"(BaseSettings.automatic_upgrades is True); {APPLY}."
        )
    else:
        assert not on, (
            f"{', '.join(on)} is on, expected no automatic upgrades "
            f"(BaseSettings.automatic_upgrades is False); {APPLY}."
        )


@check(
    "base-journal-persistent",
    "journald writes to the disk",
    severity=ERROR,
    remedy=f"{APPLY}, or `journalctl --flush` where journald wrote to memory",
)
def journal_persistent(host: Host, _: BaseSettings) -> None:
    """The files that the running journald holds open say where the log goes."""
    answer = host.run(
        "find /proc/$(systemctl show -p MainPID --value systemd-journald)/fd "
        "-lname '*.journal' -printf '%l\\n'"
    )
    assert "/var/log/journal/" in answer.stdout, (
        f"journald writes to {answer.stdout.split()[0] if answer.stdout.strip() else 'no file'}, "
        "expected a file under /var/log/journal; run `journalctl --flush`."
    )


@check(
    "base-journal-limit",
    "the journal keeps to its declared size",
    severity=ERROR,
    remedy=f"{APPLY}; a later file in journald.conf.d may override ours",
)
def journal_limit(host: Host, base: BaseSettings) -> None:
    """The configuration as journald merges it, and the limit that it reported when it started."""
    most = base.journal_max_mib
    merged, _separator, reports = host.run(f"{CONFIG}; echo; {USAGE}").stdout.rpartition("\n\n")
    values = re.findall(r"^SystemMaxUse=(\S*)", merged, re.MULTILINE)
    assert values and values[-1] == f"{most}M", (
        f"SystemMaxUse is {values[-1] if values else 'not set'}, expected {most}M "
        f"(BaseSettings.journal_max_mib); {APPLY}."
    )
    told = [json.loads(line) for line in reports.splitlines() if line.startswith("{")]
    limits = [int(each["MAX_USE"]) for each in told if each["JOURNAL_NAME"].startswith("System")]
    assert not limits or limits[-1] == most * 2**20, (
        f"the running journald keeps to {limits[-1] / 2**20:.0f} MiB, expected {most} MiB "
        "(BaseSettings.journal_max_mib); run `systemctl restart systemd-journald`."
    )
