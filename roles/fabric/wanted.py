"""What the settings mean for the fabric found: which ports, names and lines. Pure; no pyinfra.

Shared by role and checks on purpose: it is the meaning of the settings, not how they are applied.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from flightline.gpu.rdma import RdmaDevice, RdmaPort, RdmaReport
from roles.fabric.settings import FabricSettings

SOFT_PREFIX = "rxe_"
NCCL_CONF = "/etc/nccl.conf"


def concerns(settings: FabricSettings, report: RdmaReport) -> bool:
    """Return whether this role has anything to do with the node."""
    if settings.enabled != "when-present":
        return settings.enabled == "always"
    return bool(report.devices or report.infiniband_cards or settings.soft_roce_interfaces)


def soft_device(interface: str) -> str:
    """Return the name of the software device on an interface."""
    return f"{SOFT_PREFIX}{interface}"


def compute_ports(settings: FabricSettings, report: RdmaReport) -> tuple[RdmaPort, ...]:
    """Return the ports that carry compute traffic, of one link layer.

    Virtual functions that a host has split off belong to its guests, unless `ports` names them.
    """
    guests = {each.name for each in report.devices if each.is_virtual_function}
    chosen = tuple(
        port
        for port in report.ports
        if is_compute(settings, port.device, port.number)
        and (settings.ports or port.device not in guests)
    )
    layer = settings.link_layer
    if layer is None:
        layer = "InfiniBand" if any(port.is_infiniband for port in chosen) else "Ethernet"
    return tuple(port for port in chosen if port.link_layer == layer)


def compute_devices(settings: FabricSettings, report: RdmaReport) -> tuple[RdmaDevice, ...]:
    """Return the devices with hardware that have a compute port."""
    names = {port.device for port in compute_ports(settings, report)}
    return tuple(each for each in report.devices if each.name in names and not each.is_software)


def roce_interfaces(settings: FabricSettings, report: RdmaReport) -> tuple[str, ...]:
    """Return the Ethernet interfaces under compute ports, those of software RoCE to come too."""
    found = [
        port.interface
        for port in compute_ports(settings, report)
        if port.interface and not port.is_infiniband
    ]
    return tuple(dict.fromkeys([*found, *settings.soft_roce_interfaces]))


def wired_interfaces(settings: FabricSettings, report: RdmaReport) -> tuple[str, ...]:
    """Return those of them that have hardware: software RoCE has no priorities."""
    names = roce_interfaces(settings, report)
    return tuple(name for name in names if name not in settings.soft_roce_interfaces)


def is_compute(settings: FabricSettings, device: str, number: int) -> bool:
    """Return whether a port is declared to carry compute traffic."""
    if _matches(settings.excluded_ports, device, number):
        return False
    return not settings.ports or _matches(settings.ports, device, number)


def modules(settings: FabricSettings, report: RdmaReport) -> tuple[str, ...]:
    """Return the kernel modules that are to be loaded now and at boot.

    ib_umad: subnet tools, and NVIDIA's fabric manager on NVLink 5; rdma_ucm: librdmacm.
    """
    nvidia = "nvidia" in report.modules
    optional = {
        "mlx5_ib": bool(report.infiniband_cards),
        "rdma_rxe": bool(settings.soft_roce_interfaces),
        "ib_ipoib": settings.ipoib,
        "nvidia_peermem": settings.peer_memory == "peermem" and nvidia,
    }
    return ("ib_umad", "rdma_ucm", *(name for name, wanted in optional.items() if wanted))


def nccl_lines(settings: FabricSettings, report: RdmaReport) -> dict[str, str]:
    """Return the variables of /etc/nccl.conf for this node.

    Ports that are down are in the list: NCCL skips them by itself (transport/net_ib.cc, ports that
    are not IBV_PORT_ACTIVE), and a pulled cable must not rewrite the file.
    """
    ports = compute_ports(settings, report)
    names = [port.name for port in ports]
    soft = [soft_device(interface) for interface in settings.soft_roce_interfaces]
    if not any(port.is_infiniband for port in ports) and settings.link_layer != "InfiniBand":
        names += [f"{name}:1" for name in soft if is_compute(settings, name, 1)]
    interface = settings.nccl_socket_interface or next(iter(report.default_interfaces), None)
    lines = {
        "NCCL_IB_HCA": f"={','.join(dict.fromkeys(names))}" if names else None,
        "NCCL_SOCKET_IFNAME": f"={interface}" if interface else None,
        **_roce_lines(settings, ports),
        "NCCL_IB_PCI_RELAXED_ORDERING": _flag(settings.relaxed_ordering),
        **{name: str(value) for name, value in settings.nccl_variables.items()},
    }
    return {name: value for name, value in lines.items() if value is not None}


def _roce_lines(settings: FabricSettings, ports: tuple[RdmaPort, ...]) -> dict[str, str | None]:
    if any(port.is_infiniband for port in ports):
        return {}
    index, traffic = settings.roce_gid_index, settings.roce_traffic_class
    return {
        "NCCL_IB_GID_INDEX": None if index is None else str(index),
        "NCCL_IB_TC": None if traffic is None else str(traffic),
    }


def _flag(value: bool | None) -> str | None:
    return None if value is None else str(int(value))


def _matches(patterns: tuple[str, ...], device: str, number: int) -> bool:
    """Whether "mlx5_0:1" fits one of the patterns; a pattern without a port means every port."""
    whole = (pattern if ":" in pattern else f"{pattern}:*" for pattern in patterns)
    return any(fnmatchcase(f"{device}:{number}", pattern) for pattern in whole)


def inbox_packages(family: str) -> tuple[str, ...]:
    """Return the distribution's own RDMA packages: drivers' libraries, tools, bandwidth tests."""
    if family == "rhel":
        return (
            *("rdma-core", "libibverbs", "libibverbs-utils", "librdmacm-utils"),
            *("infiniband-diags", "perftest", "pciutils", "iproute"),
        )
    return (
        *("rdma-core", "ibverbs-providers", "ibverbs-utils", "rdmacm-utils"),
        *("infiniband-diags", "perftest", "pciutils", "iproute2"),
    )


def packages(settings: FabricSettings, family: str) -> tuple[str, ...]:
    """Return what is installed on a node of this family, debian or rhel."""
    if settings.doca is not None:
        return (*settings.doca.packages, "pciutils")
    return inbox_packages(family)


def held_packages(settings: FabricSettings, family: str) -> tuple[str, ...]:
    """Return what no upgrade may touch: the stack itself, not the system's tools beside it."""
    if not settings.hold_packages:
        return ()
    shared = ("pciutils", "iproute", "iproute2")
    names = settings.doca.packages if settings.doca else inbox_packages(family)
    return tuple(name for name in names if name not in shared)


def express_problem(settings: FabricSettings, device: RdmaDevice) -> str:
    """Return how a device's PCIe settings differ from the declared ones; empty when they do not."""
    if device.express is None:
        return ""
    size, relaxed = settings.max_read_request_bytes, settings.relaxed_ordering
    if size is not None and device.express.max_read_request_bytes != size:
        return f"{device.name} reads at most {device.express.max_read_request_bytes} bytes at once"
    if relaxed is not None and device.express.relaxed_ordering != relaxed:
        return f"{device.name} has relaxed ordering {'off' if relaxed else 'on'}"
    return ""
