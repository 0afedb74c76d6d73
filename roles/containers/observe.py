"""What the checks look at: each observation is one command, shared by every check that needs it.

Nothing here speaks to docker.sock while dockerd is stopped: systemd would start it for the
question, and the audit would repair what it is to find.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testinfra.host import Host

from flightline.audit.check import unknown

_INFO = "systemctl -q is-active docker.service && docker info --format '{{json .}}'"
_UNITS = (
    "systemctl show docker.service containerd.service docker.socket "
    "-p Id,ActiveState,UnitFileState,DropInPaths,NeedDaemonReload"
)
_LIMITS = (
    "for unit in docker containerd; do "
    'sed "s/^/$unit /" /proc/$(systemctl show -p MainPID --value $unit.service)/limits; done'
)
_PROGRAMS = (
    "for unit in docker containerd; do "
    "readlink /proc/$(systemctl show -p MainPID --value $unit.service)/exe; done"
)
_LOADED = (
    "stat -L -c %Y /etc/docker/daemon.json; "
    # A running unit's state changes by a reload alone; ExecReload forgets at a daemon-reload.
    "systemctl show docker.service -p ExecMainStartTimestamp -p ActiveEnterTimestamp "
    "-p StateChangeTimestamp | "
    'awk -F= \'{at[$1] = $2} END {print at["ExecMainStartTimestamp"]; '
    'if (at["StateChangeTimestamp"] != at["ActiveEnterTimestamp"]) '
    'print at["StateChangeTimestamp"]}\' | '
    'while read -r moment; do date -d "$moment" +%s; done'
)
_PACKAGES = (
    "if command -v dpkg-query >/dev/null; then "
    "dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n' "
    "docker.io docker-cli containerd docker-ce docker-ce-cli containerd.io 2>/dev/null; "
    "else for name in docker-ce docker-ce-cli containerd.io; do "
    'grep -qs "^$name-[0-9]" /etc/dnf/plugins/versionlock.list && state=hi || state=ii; '
    'rpm -q --qf "$state %{NAME}\\n" $name; done; fi'
)


@dataclass(frozen=True)
class Unit:
    """A systemd unit as it is loaded and as it starts at boot."""

    active: str
    enabled: str
    drop_ins: tuple[str, ...]
    reload_due: bool


def engine_info(host: Host) -> Mapping[str, Any]:
    """Return what dockerd says of itself. Ends the check as unknown when it says nothing."""
    result = host.run(_INFO)
    info: dict[str, Any] = json.loads(result.stdout) if result.stdout.strip() else {}
    if result.rc != 0 or "ServerVersion" not in info:
        unknown(f"dockerd did not answer `docker info` (exit status {result.rc}).")
    return info


def answers(host: Host) -> bool:
    """Whether dockerd answers at all."""
    result = host.run(_INFO)
    return result.rc == 0 and "ServerVersion" in json.loads(result.stdout or "{}")


def units(host: Host) -> dict[str, Unit]:
    """Return docker.service, containerd.service and docker.socket."""
    found = {}
    for block in host.check_output(_UNITS).split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        found[values["Id"]] = Unit(
            active=values["ActiveState"],
            enabled=values["UnitFileState"],
            drop_ins=tuple(values["DropInPaths"].split()),
            reload_due=values["NeedDaemonReload"] == "yes",
        )
    return found


def hard_limits(host: Host, resource: str) -> dict[str, str]:
    """Return the hard limit that dockerd and containerd run with, by unit; "unlimited" or a number.

    A line: `docker Max locked memory         unlimited            unlimited            bytes`.
    """
    lines = host.check_output(_LIMITS).splitlines()
    named = [line.split(None, 1) for line in lines]
    return {
        unit: rest[len(resource) :].split()[1] for unit, rest in named if rest.startswith(resource)
    }


def programs(host: Host) -> list[str]:
    """Return the files that dockerd and containerd run from."""
    paths: list[str] = host.check_output(_PROGRAMS).splitlines()
    return paths


def moments(host: Host) -> tuple[int, int]:
    """Return when daemon.json was written and when dockerd read it last, seconds since 1970."""
    written, *read = map(int, host.check_output(_LOADED).split())
    if not read:
        unknown("systemd does not say when dockerd was started.")
    return written, max(read)


def packages(host: Host) -> dict[str, bool]:
    """Return the engine packages that are installed, and whether each is held."""
    lines = [line.split() for line in host.run(_PACKAGES).stdout.splitlines()]
    return {name: state[0] == "h" for state, name in lines if state[1:2] == "i"}
