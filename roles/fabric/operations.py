"""The role's operations: files, packages, and the running fabric."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from flightline.errors import FlightlineError, NodeRefused
from flightline.facts.node import node_of
from flightline.operations import modules
from flightline.operations.bundle import bundle
from flightline.operations.packages import installed
from flightline.operations.refusal import Refusal
from roles.fabric import files, wanted
from roles.fabric.facts import Fabric, fabric_of, forget_fabric, last_fabric
from roles.fabric.settings import FabricSettings
from roles.fabric.sources import packages

_UNCONCERNED = "no RDMA device, and none is declared"
_START = (
    "systemctl restart flightline-fabric.service || "
    "{ journalctl -u flightline-fabric.service -n 8 -o cat --no-pager >&2; exit 1; }"
)


@operation()
def fabric_files(settings: FabricSettings) -> Generator[StringCommand]:
    """Every file of the role is in place; nothing is touched on a node without RDMA."""
    try:
        fabric = fabric_of(host)
        if not wanted.concerns(settings, fabric.report):
            host.noop(_UNCONCERNED)
            return
        refuse_strangers(settings, fabric)
        items = files.items(settings, fabric.report, node_of(host))
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    yield from _changing(bundle._inner(items=items, hooks=files.hooks(settings, fabric.report)))


@operation()
def fabric_packages(settings: FabricSettings) -> Generator[StringCommand]:
    """The declared RDMA stack is installed and held; nothing on a node without RDMA."""
    try:
        if not wanted.concerns(settings, last_fabric(host).report):
            host.noop(_UNCONCERNED)
            return
        node = node_of(host)
        names = packages(settings, node)
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    held = wanted.held_packages(settings, node.family)
    yield from _changing(installed._inner(packages=names, hold=held))


@operation()
def running_fabric(settings: FabricSettings) -> Generator[StringCommand]:
    """Modules are loaded; links, MTUs, sysctls, PFC and PCIe settings are as declared, live."""
    try:
        fabric = last_fabric(host)
        if not wanted.concerns(settings, fabric.report):
            host.noop(_UNCONCERNED)
            return
        commands = repairs(settings, fabric, is_virtual=node_of(host).is_virtual)
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    if not commands:
        host.noop("the running fabric is as declared")
    for command in commands:
        yield StringCommand(command)


def _changing(commands: Iterable[StringCommand]) -> Generator[StringCommand]:
    """The same commands; after one of them, what is known of the fabric no longer holds."""
    for command in commands:
        forget_fabric(host)
        yield command


def refuse_strangers(settings: FabricSettings, fabric: Fabric) -> None:
    """Raise NodeRefused where a declared interface is not on the node."""
    socket = settings.nccl_socket_interface
    named = [*settings.soft_roce_interfaces, *([socket] if socket else [])]
    lacking = sorted({name for name in named if name not in fabric.report.interfaces})
    if lacking:
        raise NodeRefused(
            f"{', '.join(lacking)} is no interface of this node (FabricSettings."
            "soft_roce_interfaces, nccl_socket_interface); it has "
            f"{', '.join(fabric.report.interfaces)}."
        )


def repairs(settings: FabricSettings, fabric: Fabric, *, is_virtual: bool) -> list[str]:
    """Return the commands that bring the fabric to the settings; none when it is there already."""
    report = fabric.report
    drifted = (
        not fabric.is_set_up
        or _has_other_soft_links(settings, fabric)
        or _has_another_mtu(settings, fabric)
        or _has_other_sysctls(settings, fabric)
        or _has_other_priorities(settings, fabric)
        or (not is_virtual and _has_other_pci_settings(settings, fabric))
    )
    return [
        *modules.load(wanted.modules(settings, report), report.modules),
        *([_START] if drifted else []),
    ]


def _has_other_soft_links(settings: FabricSettings, fabric: Fabric) -> bool:
    names = {device.name for device in fabric.report.devices if device.is_software}
    ours = {name for name in names if name.startswith(wanted.SOFT_PREFIX)}
    return ours != set(map(wanted.soft_device, settings.soft_roce_interfaces))


def _has_another_mtu(settings: FabricSettings, fabric: Fabric) -> bool:
    if settings.interface_mtu_bytes is None:
        return False
    known = fabric.report.interfaces
    names = wanted.roce_interfaces(settings, fabric.report)
    return any(known[name].mtu != settings.interface_mtu_bytes for name in names if name in known)


def _has_other_sysctls(settings: FabricSettings, fabric: Fabric) -> bool:
    known = fabric.report.interfaces
    names = wanted.roce_interfaces(settings, fabric.report)
    return any(
        known[name].sysctls.get(key, str(value)) != str(value)
        for name in names
        if name in known
        for key, value in settings.interface_sysctls.items()
    )


def _has_other_priorities(settings: FabricSettings, fabric: Fabric) -> bool:
    declared = set(settings.roce_pfc_priorities)
    names = wanted.wired_interfaces(settings, fabric.report)
    return bool(declared) and any(fabric.lossless.get(name) != declared for name in names)


def _has_other_pci_settings(settings: FabricSettings, fabric: Fabric) -> bool:
    if settings.acs == "off" and fabric.redirecting:
        return True
    return any(
        wanted.express_problem(settings, device)
        for device in wanted.compute_devices(settings, fabric.report)
    )
