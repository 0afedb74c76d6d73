"""What ports count: errors and flaps, as rates since boot, never as totals that must be zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from testinfra.host import Host

from flightline.audit.check import ERROR, WARNING, check, not_applicable
from roles.fabric import evidence
from roles.fabric.port_checks import CABLE
from roles.fabric.settings import FabricSettings


@check(
    "fabric-errors-symbols",
    "ports see no more symbol errors than a sound cable makes",
    severity=ERROR,
    remedy=CABLE,
)
def errors_symbols(host: Host, settings: FabricSettings) -> None:
    _judge(host, settings, ("symbol_error",), Limit(settings.symbol_errors_max_per_hour, "hour"))


@check(
    "fabric-errors-flaps",
    "links do not go up and down",
    severity=WARNING,
    remedy=CABLE,
)
def errors_flaps(host: Host, settings: FabricSettings) -> None:
    _judge(host, settings, ("link_downed",), Limit(settings.link_downs_max_per_day, "day"))


@check(
    "fabric-errors-integrity",
    "ports lose no packets to their own buffers and links",
    severity=WARNING,
    remedy=CABLE,
)
def errors_integrity(host: Host, settings: FabricSettings) -> None:
    names = ("local_link_integrity_errors", "excessive_buffer_overrun_errors")
    # NVIDIA/NVSentinel (docs/nic-health-monitor.md, read 2026-11-20) calls each one fatal; counters
    # outlive a reboot of the node, though, so one a day is let pass.
    _judge(host, settings, names, Limit(1.0, "day"))


@dataclass(frozen=True)
class Limit:
    """The most of something in a span; the first span after the boot counts whole."""

    most: float
    span: Literal["hour", "day"]

    def spans(self, uptime_seconds: float) -> float:
        """Return how many spans the node has been up for, at least one."""
        return max(1.0, uptime_seconds / (3600 if self.span == "hour" else 86400))


def _judge(host: Host, settings: FabricSettings, names: tuple[str, ...], limit: Limit) -> None:
    spans = limit.spans(evidence.report(host, settings).uptime_seconds)
    ports = evidence.compute_ports(host, settings)
    counted = [(port, name) for port in ports for name in names if name in port.counters]
    if not counted:
        not_applicable(f"no compute port counts {' or '.join(names)}: software RoCE does not")
    wrong = [
        f"{port.name} had {port.counters[name] / spans:.3g} {name} per {limit.span} since boot"
        for port, name in counted
        if port.counters[name] / spans > limit.most
    ]
    assert not wrong, f"{', '.join(wrong)}, expected at most {limit.most:g}"
