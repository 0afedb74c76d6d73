"""What must hold of compute ports: links, rates, addresses, MTUs."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, not_applicable
from flightline.gpu.rdma import RdmaPort
from roles.fabric import evidence, wanted
from roles.fabric.settings import FabricSettings

CABLE = "reseat or change the cable, then look at the switch port; see docs/runbooks/fabric.md"
LINKED = ("fabric-ports-linkup",)


@check(
    "fabric-ports-linkup",
    "every compute port has a physical link",
    severity=CRITICAL,
    remedy=CABLE,
)
def ports_linkup(host: Host, settings: FabricSettings) -> None:
    wrong = [
        f"{port.name} is {port.physical or 'silent'}"
        for port in evidence.compute_ports(host, settings)
        if port.physical != "LinkUp"
    ]
    assert not wrong, f"{', '.join(wrong)}, expected LinkUp"


@check(
    "fabric-ports-active",
    "every compute port is active",
    severity=CRITICAL,
    remedy="InfiniBand: look at the subnet manager; see docs/runbooks/fabric.md",
    depends=(*LINKED, "fabric-subnet-manager"),
)
def ports_active(host: Host, settings: FabricSettings) -> None:
    wrong = [
        f"{port.name} is {port.state or 'silent'}"
        for port in evidence.compute_ports(host, settings)
        if port.state != "ACTIVE"
    ]
    assert not wrong, f"{', '.join(wrong)}, expected ACTIVE"


@check(
    "fabric-ports-layer",
    "every compute port runs the declared link layer",
    severity=CRITICAL,
    remedy="`mlxconfig -d DEVICE set LINK_TYPE_P1=1` (InfiniBand) or 2, then power-cycle the node",
)
def ports_layer(host: Host, settings: FabricSettings) -> None:
    found = evidence.report(host, settings)
    if settings.link_layer is None:
        not_applicable("FabricSettings.link_layer is None: ports of the other kind are left out")
    wrong = [
        f"{port.name} runs {port.link_layer}"
        for port in found.ports
        if wanted.is_compute(settings, port.device, port.number)
        and port.link_layer != settings.link_layer
    ]
    assert not wrong, (
        f"{', '.join(wrong)}, expected {settings.link_layer} (FabricSettings.link_layer)"
    )


@check(
    "fabric-ports-lanes",
    "every InfiniBand link came up with all its lanes",
    severity=ERROR,
    remedy=CABLE,
    depends=LINKED,
)
def ports_lanes(host: Host, settings: FabricSettings) -> None:
    ports = _infiniband(host, settings)
    wrong = [f"{port.name} has {port.lanes}" for port in ports if _below(port.lanes, settings)]
    assert not wrong, (
        f"{', '.join(wrong)} lanes, expected at least {settings.min_lanes} "
        "(FabricSettings.min_lanes)"
    )


@check(
    "fabric-ports-rate",
    "every compute port runs at the declared rate, or as fast as the fastest",
    severity=ERROR,
    remedy=CABLE,
    depends=(*LINKED, "fabric-ports-lanes"),
)
def ports_rate(host: Host, settings: FabricSettings) -> None:
    ports = evidence.compute_ports(host, settings)
    least = settings.min_rate_gbps or max(port.rate_gbps or 0.0 for port in ports)
    wrong = [
        f"{port.name} runs at {port.rate_gbps or 0:g} Gb/s"
        for port in ports
        if (port.rate_gbps or 0.0) < least
    ]
    assert not wrong, (
        f"{', '.join(wrong)}, expected at least {least:g} Gb/s (FabricSettings.min_rate_gbps)"
    )


@check(
    "fabric-subnet-manager",
    "every InfiniBand port knows its subnet manager",
    severity=CRITICAL,
    remedy="start OpenSM or UFM on the fabric, or look at the switch's; `sminfo` asks it",
    depends=LINKED,
)
def subnet_manager(host: Host, settings: FabricSettings) -> None:
    wrong = [port.name for port in _infiniband(host, settings) if not port.subnet_manager_lid]
    assert not wrong, f"{', '.join(wrong)} has no subnet manager (sm_lid 0), expected one"


@check(
    "fabric-ports-lid",
    "every InfiniBand port has an address of its own",
    severity=CRITICAL,
    remedy="look at the subnet manager's log for this port's GUID",
    depends=(*LINKED, "fabric-subnet-manager"),
)
def ports_lid(host: Host, settings: FabricSettings) -> None:
    # InfiniBand Architecture 1.4, 4.1.3: unicast LIDs are 0x0001 to 0xBFFF.
    wrong = [
        f"{port.name} has {port.lid}"
        for port in _infiniband(host, settings)
        if not 1 <= (port.lid or 0) <= 0xBFFF
    ]
    assert not wrong, f"{', '.join(wrong)} as its LID, expected 1 to 49151"


@check(
    "fabric-gids-roce",
    "every RoCE port has the IPv4 address of RoCE v2 that its peers reach it by",
    severity=CRITICAL,
    remedy="give the interface its IPv4 address; `rdma link` and `show_gids` name the pairs",
    depends=LINKED,
)
def gids_roce(host: Host, settings: FabricSettings) -> None:
    ports = _roce(host, settings)
    index = settings.roce_gid_index
    place = "" if index is None else f" at place {index}"
    wrong = [port.name for port in ports if not _has_address(port, index)]
    assert not wrong, (
        f"{', '.join(wrong)} has no RoCE v2 address of IPv4{place}, expected one "
        "(FabricSettings.roce_gid_index)"
    )


@check(
    "fabric-mtu-interface",
    "the interfaces under RoCE have the declared MTU",
    severity=ERROR,
    remedy="run `flightline apply --role fabric`; the switches must agree",
)
def mtu_interface(host: Host, settings: FabricSettings) -> None:
    found = evidence.report(host, settings)
    names = wanted.roce_interfaces(settings, found)
    expected = settings.interface_mtu_bytes
    if expected is None or not names:
        not_applicable("FabricSettings.interface_mtu_bytes is None, or no port runs RoCE")
    wrong = [
        f"{name} has {found.interfaces[name].mtu}"
        for name in names
        if name in found.interfaces and found.interfaces[name].mtu != expected
    ]
    assert not wrong, (
        f"{', '.join(wrong)} bytes of MTU, expected {expected} (FabricSettings.interface_mtu_bytes)"
    )


@check(
    "fabric-mtu-active",
    "every compute port uses packets as large as it may",
    severity=ERROR,
    remedy="raise the partition's MTU in the subnet manager, or the interface's on RoCE",
    depends=(*LINKED, "fabric-mtu-interface", "fabric-verbs-usable"),
)
def mtu_active(host: Host, settings: FabricSettings) -> None:
    opened = evidence.verbs(host)
    found = evidence.report(host, settings)
    wrong = []
    for port in evidence.compute_ports(host, settings):
        seen = opened[port.name]  # KeyError, so unknown: fabric-verbs-usable says why
        interface = found.interfaces.get(port.interface)
        allowed = interface.mtu if interface and not port.is_infiniband else None
        least = settings.rdma_mtu_bytes or largest_mtu(seen.max_mtu, allowed)
        if seen.active_mtu < least:
            wrong.append(f"{port.name} uses {seen.active_mtu}, expected at least {least}")
    assert not wrong, f"{'; '.join(wrong)} bytes of MTU (FabricSettings.rdma_mtu_bytes)"


def largest_mtu(port_bytes: int, interface_bytes: int | None) -> int:
    """Return the MTU that RDMA can use: the port's own, on RoCE within the interface's.

    96 bytes of headers are kept free (Linux include/rdma/ib_addr.h, iboe_get_mtu: GRH 40, UDP 8,
    BTH 12, XRC 4, atomic 28, ICRC 4).
    """
    if interface_bytes is None:
        return port_bytes
    fitting = [size for size in (256, 512, 1024, 2048, 4096) if size <= interface_bytes - 96]
    return min(port_bytes, max(fitting, default=256))


def _below(lanes: int | None, settings: FabricSettings) -> bool:
    return lanes is None or lanes < settings.min_lanes


def _has_address(port: RdmaPort, index: int | None) -> bool:
    return any(
        gid.kind == "RoCE v2" and gid.ipv4 is not None and index in (None, gid.index)
        for gid in port.gids
    )


def _infiniband(host: Host, settings: FabricSettings) -> tuple[RdmaPort, ...]:
    found = tuple(port for port in evidence.compute_ports(host, settings) if port.is_infiniband)
    if not found:
        not_applicable("compute ports run Ethernet (link_layer in /sys/class/infiniband)")
    return found


def _roce(host: Host, settings: FabricSettings) -> tuple[RdmaPort, ...]:
    found = tuple(port for port in evidence.compute_ports(host, settings) if not port.is_infiniband)
    if not found:
        not_applicable("compute ports run InfiniBand (link_layer in /sys/class/infiniband)")
    return found
