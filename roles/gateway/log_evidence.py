"""What role and checks ask a node about keys and audit log: one script and plain parsing."""

from __future__ import annotations

import datetime
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from testinfra.host import Host

from flightline.audit.check import not_applicable, unknown
from flightline.serving import layout
from roles.gateway import audit_log
from roles.gateway.evidence import host_of
from roles.gateway.settings import GatewaySettings

_SCRIPT = Path(__file__).with_name("log_evidence.sh").read_text(encoding="utf-8")
COLLECTOR = "flightline-audit-log.service"
ROTATE_TIMER = "flightline-audit-rotate.timer"
ROTATE_UNIT = "flightline-audit-rotate.service"


def script(settings: GatewaySettings) -> str:
    """Return the question; only address and port depend on the settings."""
    values = {
        "port": str(settings.port),
        "address": host_of(settings.address),
        "folder": audit_log.LOG_FOLDER,
        "reader": audit_log.AUDIT_SOCKET,
        "sockets": audit_log.SOCKETS,
        "collector": COLLECTOR,
        "unit": layout.GATEWAY_UNIT,
        "admin": layout.GATEWAY_SOCKET,
        "keys": layout.GATEWAY_KEYS,
        "load": layout.GATEWAY_KEYS_LOAD,
    }
    return "\n".join([*(f"{name}={shlex.quote(value)}" for name, value in values.items()), _SCRIPT])


@dataclass(frozen=True)
class LogFile:
    """A file of the audit log: mode in octal, size in bytes, seconds since 1970."""

    path: str
    mode: str
    owner: str
    group: str
    size: int
    modified: int

    @property
    def name(self) -> str:
        """Without folder and packing: audit.log-20261121000000."""
        return self.path.rpartition("/")[2].removesuffix(".gz")


@dataclass(frozen=True)
class LogReport:
    """Everything that the node said, by label; the figures that several checks need, as figures."""

    said: Mapping[str, tuple[str, ...]]

    def one(self, label: str) -> str:
        """Return the one value of a label; empty where there is none."""
        return self.said.get(label, ("",))[-1]

    def number(self, label: str) -> int:
        """Return a value that is a number; ends the check as unknown where it is not there."""
        value = self.one(label)
        if not value.isdigit():
            unknown(f"the node did not say its {label}.")
        return int(value)

    def all(self, label: str) -> tuple[str, ...]:
        """Return every value of a label."""
        return self.said.get(label, ())

    @property
    def units(self) -> dict[str, dict[str, str]]:
        """What systemd says of each unit."""
        found = {}
        for line in self.all("unit"):
            fields = dict(pair.split("=", 1) for pair in line.split() if "=" in pair)
            found[fields.get("Id", "")] = fields
        return found

    @property
    def files(self) -> tuple[LogFile, ...]:
        """The folder, the open file and the closed ones, in this order."""
        found = []
        for line in self.all("file"):
            mode, owner, group, size, modified, path = line.split(" ", 5)
            found.append(LogFile(path, mode, owner, group, int(size), int(modified)))
        return tuple(found)

    @property
    def closed(self) -> tuple[LogFile, ...]:
        """The closed files, oldest first."""
        return tuple(
            sorted((f for f in self.files if "/audit.log-" in f.path), key=lambda f: f.name)
        )

    @property
    def rotation(self) -> dict[str, str]:
        """Directives of the rotation that the timer runs: rotate, maxage, maxsize."""
        return dict(line.split(" ", 1) for line in self.all("rotate") if " " in line)

    def figures(self, name: str) -> tuple[dict[str, Any], ...]:
        """Return rsyslog's figures of an action or queue, oldest first."""
        found = [json.loads(line) for line in self.all("stats")]
        return tuple(each for each in found if each.get("name") == name)


def running(host: Host, settings: GatewaySettings) -> LogReport:
    """Return what the node said; ends the check as not applicable while the gateway is stopped."""
    found = report(host, settings)
    if found.units.get(layout.GATEWAY_UNIT, {}).get("ActiveState") not in _RUNS:
        not_applicable(f"{layout.GATEWAY_UNIT} does not run; gateway-unit-active judges that.")
    return found


_RUNS = ("active", "reloading")


def report(host: Host, settings: GatewaySettings) -> LogReport:
    """Return what the node said; ends the check as not applicable where no client enters."""
    if not settings.enabled:
        not_applicable("GatewaySettings.enabled is False.")
    if not settings.public:
        not_applicable("GatewaySettings.public is False: no client enters here.")
    try:
        return parse(str(host.run(script(settings)).stdout))
    except ValueError as error:
        unknown(f"{error}.")


@lru_cache(maxsize=16)
def parse(printed: str) -> LogReport:
    """Return the report; raises ValueError when it is cut short or a line is not understood.

    Lines such as "probe=yes", "file=640 root adm 5121 1795000000 /var/log/flightline/audit.log",
    "stats={...}" (rsyslog 8.2302, Debian 12).
    """
    said: dict[str, list[str]] = {}
    for line in printed.splitlines():
        label, sign, value = line.partition("=")
        if sign:
            said.setdefault(label, []).append(value)
    if said.get("end") != ["yes"]:
        raise ValueError("the answer about keys and audit log is cut short")
    found = LogReport({label: tuple(values) for label, values in said.items()})
    # what is not understood is said here, not in a check
    found.figures("")
    _ = found.files, found.rotation
    return found


def moment(text: str) -> float:
    """Return the time of a line, such as 2026-11-21T15:11:38.155Z, in seconds since 1970."""
    return datetime.datetime.fromisoformat(text).timestamp()


def seconds_of_name(name: str) -> float:
    """Return when a file was closed, as its name has it in local time: audit.log-20261121000000."""
    return datetime.datetime.strptime(name.rpartition("-")[2], "%Y%m%d%H%M%S").timestamp()
