"""The role's files for one node, and what runs when they change: what holds at the next boot."""

from __future__ import annotations

import re

from flightline.facts.node import NodeFacts
from flightline.gpu.rdma import RdmaReport
from flightline.operations.bundle import Absent, File, Hook, Item, Link
from flightline.templates import render
from roles.fabric import wanted
from roles.fabric.settings import FabricSettings
from roles.fabric.sources import repository

MODULES = "/etc/modules-load.d/flightline-fabric.conf"
SYSCTL = "/etc/sysctl.d/99-zz-flightline-fabric.conf"
# The same name as rdma-core's own rule, which it replaces whole.
NAMES = "/etc/udev/rules.d/60-rdma-persistent-naming.rules"
SETUP = "/usr/local/lib/flightline/fabric-setup"
UNIT = "/etc/systemd/system/flightline-fabric.service"
WANTS = "/etc/systemd/system/multi-user.target.wants/flightline-fabric.service"


def items(settings: FabricSettings, report: RdmaReport, node: NodeFacts) -> tuple[Item, ...]:
    """Return every path that the role owns on this node; raises FlightlineError for a lost key."""
    interfaces = wanted.roce_interfaces(settings, report)
    return (
        *repository(settings, node),
        _file(MODULES, modules=wanted.modules(settings, report)),
        _sysctls(settings, interfaces),
        _names(settings),
        _setup(settings, report, interfaces),
        _file(UNIT, devices=tuple(map(device_unit, interfaces))),
        Link(WANTS, UNIT),
        *_nccl(settings, report),
    )


def hooks(settings: FabricSettings, report: RdmaReport) -> tuple[Hook, ...]:
    """Return what runs after the moves; the running fabric itself is brought up afterwards."""
    interfaces = wanted.roce_interfaces(settings, report)
    sysctl = f"/usr/lib/systemd/systemd-sysctl {SYSCTL}"
    return (
        Hook("systemctl daemon-reload", (UNIT, WANTS)),
        Hook("udevadm control --reload", (NAMES,)),
        *((Hook(sysctl, (SYSCTL,)),) if settings.interface_sysctls and interfaces else ()),
        # Where it has not run yet, the packages that it needs come first: see running_fabric.
        Hook("systemctl try-restart flightline-fabric.service", (SETUP, UNIT)),
    )


def device_unit(interface: str) -> str:
    """Return systemd's unit of a network interface, escaped as systemd.unit(5) says."""
    escaped = re.sub(r"[^A-Za-z0-9:_.]", lambda found: f"\\x{ord(found[0]):02x}", interface)
    return f"sys-subsystem-net-devices-{escaped}.device"


def _sysctls(settings: FabricSettings, interfaces: tuple[str, ...]) -> Item:
    if not (settings.interface_sysctls and interfaces):
        return Absent(SYSCTL)
    return _file(SYSCTL, interfaces=interfaces, values=dict(settings.interface_sysctls))


def _names(settings: FabricSettings) -> Item:
    return _file(NAMES) if settings.device_names == "kernel" else Absent(NAMES)


def _setup(settings: FabricSettings, report: RdmaReport, interfaces: tuple[str, ...]) -> File:
    devices = [each.pci_address for each in wanted.compute_devices(settings, report)]
    content = render(
        f"fabric{SETUP}.j2",
        settings=settings,
        interfaces=[name for name in interfaces if name not in settings.soft_roce_interfaces],
        all_interfaces=interfaces,
        devices=devices,
        set_control=express_write(settings),
    )
    return File(SETUP, content, mode="755", validate="sh -n {staged}")


def express_write(settings: FabricSettings) -> str:
    """Return what setpci writes into an HCA's device control, as value:mask; empty for nothing.

    PCI Express Base 5.0, 7.5.3.4: bits 14 to 12 the largest read request, bit 4 relaxed ordering.
    """
    value, mask = 0, 0
    if settings.max_read_request_bytes is not None:
        value |= (settings.max_read_request_bytes.bit_length() - 8) << 12
        mask |= 0x7000
    if settings.relaxed_ordering is not None:
        value |= 0x0010 if settings.relaxed_ordering else 0
        mask |= 0x0010
    return f"{value:04x}:{mask:04x}" if mask else ""


def _nccl(settings: FabricSettings, report: RdmaReport) -> tuple[Item, ...]:
    if not settings.nccl_conf:
        return ()
    return (_file(wanted.NCCL_CONF, lines=wanted.nccl_lines(settings, report)),)


def _file(path: str, **values: object) -> File:
    return File(path, render(f"fabric{path}.j2", **values))
