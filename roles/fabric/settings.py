"""The RDMA fabric of a node: which devices, how they are set up, what NCCL is told of them.

Deliberately not set:

- `NCCL_TOPO_FILE`: NCCL reads a bare-metal machine's real topology; a file made for a cloud's
  virtual machine lowered all-reduce on H100 and H200 (Azure/azurehpc-health-checks issues 142 and
  143, read 2026-11-20).
- `NCCL_DEBUG` and NCCL's other debugging variables: its documentation says not in production.
- ConnectX firmware settings (`mlxconfig`): they need a power cycle, and belong to a burn-in.
- Locked-memory limits, huge pages, receive buffers, ARP for all interfaces: the kernel role's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from flightline.settings import Settings

# Linux IFNAMSIZ is 16 with the closing zero; ":" and "/" cannot be in a name.
InterfaceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,14}$")]
PortPattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_*?\[\]-]+(:([0-9]+|\*))?$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)*$")]
BoardId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")]
Variable = Annotated[str, StringConstraints(pattern=r"^NCCL_[A-Z0-9_]+$")]
VariableValue = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.,:;=^/@%+-]+$")]

InterfaceSysctl = Literal["arp_announce", "arp_ignore", "rp_filter"]

MANAGED_VARIABLES = {
    "NCCL_IB_HCA": "excluded_ports and ports",
    "NCCL_SOCKET_IFNAME": "nccl_socket_interface",
    "NCCL_IB_GID_INDEX": "roce_gid_index",
    "NCCL_IB_TC": "roce_traffic_class",
    "NCCL_IB_PCI_RELAXED_ORDERING": "relaxed_ordering",
}
REFUSED_VARIABLES = ("NCCL_DEBUG", "NCCL_TOPO_FILE", "NCCL_GRAPH_FILE", "NCCL_TOPO_DUMP")


def _several_ports() -> dict[InterfaceSysctl, int]:
    return {"arp_announce": 2, "arp_ignore": 1, "rp_filter": 2}


class DocaSettings(Settings):
    """NVIDIA's DOCA host repository, for `stack="doca"`."""

    repository_url: str = Field(pattern=r"^https?://[^\s\"']+[^/\s\"']$")
    """The folder that holds one release's packages for one system and architecture, such as
    "https://linux.mellanox.com/public/repo/doca/3.2.0/debian12/x86_64": a release is chosen
    together with the firmware, so there is no default."""

    key_file: str = Field(pattern=r"^[^/\s][^\s]*\.(gpg|asc)$")
    """The repository's public key, armoured, as a file of this project, relative to its root: such
    as "files/doca.asc". Flightline ships none: fetch it, and compare its fingerprint, yourself."""

    packages: tuple[str, ...] = ("doca-ofed",)
    """What is installed from it. doca-ofed: drivers, libraries, tools, firmware updater
    (Azure/azhpc-images install_doca.sh, read 2026-11-20)."""


class FabricSettings(Settings):
    """InfiniBand and RoCE of one node, and NCCL's view of them."""

    enabled: Literal["when-present", "always", "off"] = "when-present"
    """"when-present" does nothing on a node without an RDMA device; "always" wants one and has the
    audit say so; "off" leaves everything alone and audits nothing."""

    stack: Literal["inbox", "doca"] = "inbox"
    """Whose drivers and libraries: the distribution's rdma-core, which the kernel in use was tested
    with, or NVIDIA's DOCA-OFED, which needs `doca`."""

    doca: DocaSettings | None = None
    """Where DOCA-OFED comes from; None with `stack="inbox"`."""

    hold_packages: bool = True
    """Keep the RDMA packages at their version until Flightline changes them: libraries and drivers
    of one release belong together."""

    ports: tuple[PortPattern, ...] = ()
    """Ports that carry compute traffic, as shell patterns "mlx5_0:1" or "mlx5_*". Empty: all that
    `excluded_ports` leaves. ConnectX-8 shows more ports than are wired: name the wired ones."""

    excluded_ports: tuple[PortPattern, ...] = ("*_bond_*",)
    """Ports that carry storage or management, as shell patterns: not judged as compute ports and
    not given to NCCL. The default is mlx5's name of a bonded port, which is no compute port."""

    ports_expected: int | None = Field(default=None, ge=1, le=256)
    """How many compute ports the node has. None: as many as it shows, which cannot tell a missing
    one; declare it for every group of equal machines (8 on an 8-GPU H100)."""

    link_layer: Literal["InfiniBand", "Ethernet"] | None = None
    """What compute ports run. None: InfiniBand where any of them does, else Ethernet."""

    min_rate_gbps: float | None = Field(default=None, gt=0, le=3200)
    """The lowest rate of a compute port, Gb/s: 400 for NDR. None: as fast as the fastest one."""

    min_lanes: Literal[1, 2, 4] = 4
    """The fewest lanes of an InfiniBand link. 4: a link that came up with fewer has a bad cable;
    2 for ports split in two."""

    firmware_min: Mapping[BoardId, Version] = Field(default_factory=dict)
    """The oldest firmware for a board id (PSID), such as {"MT_0000000838": "28.41.1000"}. Empty:
    the audit wants equal firmware on equal boards only."""

    device_names: Literal["kernel", "distribution"] = "kernel"
    """How devices are named. "kernel" keeps mlx5_0, mlx5_1, as NCCL's and every site's files call
    them; "distribution" leaves it to rdma-core, which may rename by PCI address."""

    ipoib: bool = False
    """Load IP over InfiniBand at boot. False leaves it to the distribution: NCCL needs it only as
    its socket interface. Addresses are the site's network configuration."""

    interface_mtu_bytes: int | None = Field(default=None, ge=1280, le=9216)
    """MTU of the Ethernet interfaces under RoCE, bytes; 4200 or more lets RDMA use 4096. None
    leaves the site's: switches must agree."""

    rdma_mtu_bytes: Literal[256, 512, 1024, 2048, 4096] | None = None
    """The least active MTU of a compute port, bytes. None: the port's largest on InfiniBand, and
    what the interface's MTU allows on RoCE."""

    interface_sysctls: Mapping[InterfaceSysctl, int] = Field(default_factory=_several_ports)
    """net.ipv4.conf of each RoCE interface. Ports in one subnet announce and answer for their own
    address only (NVIDIA nvidia-tuned nvidia-base), and replies on another path are not dropped
    (2: loose). Empty leaves the site's."""

    roce_gid_index: int | None = Field(default=None, ge=0, le=255)
    """The place of the RoCE v2 address in each port's table; mlx5 usually has 3. None: NCCL finds
    it by itself, as it does from 2.21 on; the audit then wants any RoCE v2 address of IPv4."""

    roce_traffic_class: int | None = Field(default=None, ge=0, le=255)
    """Traffic class of NCCL's packets: DSCP times 4, so 104 is DSCP 26. None: 0, best effort."""

    roce_pfc_priorities: tuple[Annotated[int, Field(ge=0, le=7)], ...] = ()
    """Priorities that are lossless (PFC) on RoCE interfaces. Empty leaves the interface alone;
    switches must have the same ones, so there is no default."""

    soft_roce_interfaces: tuple[InterfaceName, ...] = ()
    """Ordinary interfaces that get software RoCE, device rxe_<interface>: for labs and functional
    tests, far too slow for work. Empty: none."""

    acs: Literal["off", "keep"] = "off"
    """PCIe Access Control Services of bridges on bare metal. "off": peer traffic between GPU and
    HCA does not detour through the root complex (NVIDIA nvidia-tuned, profile acs). Virtual
    machines are left alone: there it isolates guests."""

    max_read_request_bytes: Literal[128, 256, 512, 1024, 2048, 4096] | None = 4096
    """Largest PCIe read that an HCA asks for, bytes; 4096 is what NVIDIA-based fleets check
    (scitix/sichek component hca, read 2026-11-20). None leaves the firmware's. Bare metal only."""

    relaxed_ordering: bool | None = None
    """PCIe relaxed ordering of HCAs, and NCCL's use of it. None leaves both as they are: NCCL uses
    it where the HCA offers it. Bare metal only."""

    peer_memory: Literal["dmabuf", "peermem", "off"] = "dmabuf"
    """How an HCA reaches GPU memory: the kernel's DMA-BUF with NVIDIA's open module, which NVIDIA's
    GPU operator documentation recommends; the module nvidia_peermem; or not at all."""

    nccl_conf: bool = True
    """Write /etc/nccl.conf from the fabric that is found. False leaves the file alone."""

    nccl_socket_interface: InterfaceName | None = None
    """Interface of NCCL's bootstrap. None: the one with the default route."""

    nccl_variables: Mapping[Variable, VariableValue | int] = Field(default_factory=dict)
    """Further lines of /etc/nccl.conf. Debugging variables and topology files are refused."""

    symbol_errors_max_per_hour: float = Field(default=120, ge=0)
    """Symbol errors of a port, averaged since boot: 120 an hour is a bit error rate of 1e-12
    (NVIDIA/NVSentinel docs/nic-health-monitor.md, read 2026-11-20)."""

    link_downs_max_per_day: float = Field(default=5, ge=0)
    """Times that a port's link went down, averaged since boot; 5 in 24 hours is where
    Azure/azurehpc-health-checks calls a port flapping. The first day counts whole."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.stack == "doca" and self.doca is None:
            raise ValueError(
                'stack is "doca", but doca is None; set doca=DocaSettings(repository_url=..., '
                "key_file=...)."
            )
        if self.stack == "inbox" and self.doca is not None:
            raise ValueError('doca is set, but stack is "inbox"; set stack="doca" or drop doca.')
        if self.peer_memory == "peermem" and self.enabled == "off":
            raise ValueError('peer_memory is "peermem", but enabled is "off"; drop one of them.')
        _refuse_variables(self.nccl_variables)
        _refuse_twice("soft_roce_interfaces", self.soft_roce_interfaces)
        _refuse_twice("roce_pfc_priorities", tuple(map(str, self.roce_pfc_priorities)))
        return self


def _refuse_variables(variables: Mapping[str, str | int]) -> None:
    for name in variables:
        if name in MANAGED_VARIABLES:
            raise ValueError(
                f"nccl_variables has {name}, which is set by {MANAGED_VARIABLES[name]}; "
                "set it there."
            )
        if re.match("|".join(REFUSED_VARIABLES), name):
            raise ValueError(
                f"nccl_variables has {name}, a debugging variable or a topology file; set it for "
                "one run in its environment instead."
            )


def _refuse_twice(field: str, values: tuple[str, ...]) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{field} has {', '.join(twice)} twice; keep one.")
