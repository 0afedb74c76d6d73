"""RDMA devices, ports and addresses as records; None where the kernel gives no number."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from flightline.gpu.pci_config import PciExpress


@dataclass(frozen=True)
class Gid:
    """One address of a port's table that is in use."""

    index: int
    kind: str
    """"RoCE v2" or "IB/RoCE v1", as the kernel says it; empty where it does not."""
    interface: str
    address: str

    @property
    def ipv4(self) -> str | None:
        """The IPv4 address it stands for, or None."""
        mapped = ipaddress.IPv6Address(self.address).ipv4_mapped
        return str(mapped) if mapped else None


@dataclass(frozen=True)
class RdmaPort:
    """One port of a device; None where the kernel gives no number."""

    device: str
    number: int
    state: str
    """"ACTIVE", "INIT", "ARMED", "DOWN"."""
    physical: str
    """"LinkUp", "Disabled", "Polling"."""
    link_layer: str
    """"InfiniBand" or "Ethernet"."""
    rate_gbps: float | None
    lanes: int | None
    lid: int | None
    subnet_manager_lid: int | None
    interface: str
    """The network interface of the port; empty for none."""
    gids: tuple[Gid, ...]
    counters: Mapping[str, int]
    """counters and hw_counters, by file name: cumulative since they were last reset."""

    @property
    def name(self) -> str:
        """Device and port as NCCL writes them: "mlx5_0:1"."""
        return f"{self.device}:{self.number}"

    @property
    def is_infiniband(self) -> bool:
        """Whether the link layer is InfiniBand; else it is Ethernet, and RDMA on it is RoCE."""
        return self.link_layer == "InfiniBand"


@dataclass(frozen=True)
class PciLink:
    """A device's PCIe link now, and the most that the device can do; None where not known."""

    lanes: int | None
    max_lanes: int | None
    speed_gts: float | None
    max_speed_gts: float | None


@dataclass(frozen=True)
class RdmaDevice:
    """One RDMA device; a software one (Soft-RoCE) has no PCI address."""

    name: str
    firmware: str
    board: str
    """Board id (PSID), such as "MT_0000000838"; empty for none."""
    pci_address: str
    driver: str
    numa_node: int | None
    is_virtual_function: bool
    link: PciLink
    express: PciExpress | None
    """What its PCI configuration says; None where it cannot be read."""
    verbs: str
    """Its character device under /dev/infiniband, such as "uverbs0"; empty for none."""
    management: tuple[str, ...]
    """Its ports' management devices, such as "umad0"."""
    ports: tuple[RdmaPort, ...]

    @property
    def is_software(self) -> bool:
        """Whether it is Soft-RoCE or another device without hardware of its own."""
        return not self.pci_address


@dataclass(frozen=True)
class Interface:
    """A network interface; the values of sysctl net.ipv4.conf.<name>."""

    name: str
    mtu: int
    is_up: bool
    sysctls: Mapping[str, str]


@dataclass(frozen=True)
class RdmaReport:
    """What RDMA a node has."""

    devices: tuple[RdmaDevice, ...]
    interfaces: Mapping[str, Interface]
    default_interfaces: tuple[str, ...]
    """Those with a default route, IPv4 first."""
    modules: frozenset[str]
    """Of the kernel's RDMA modules, those that are loaded or built in."""
    characters: Mapping[str, str]
    """Names under /dev/infiniband with their mode in octal digits."""
    infiniband_cards: tuple[str, ...]
    """PCI addresses of InfiniBand controllers, whether or not a driver has them."""
    uptime_seconds: float

    @property
    def ports(self) -> tuple[RdmaPort, ...]:
        """Every port of every device."""
        return tuple(port for device in self.devices for port in device.ports)
