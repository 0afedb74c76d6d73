"""What sound 8-GPU nodes say of their fabric: H100 on InfiniBand, A100 on RoCE; written by us.

Names, rates, firmware and board id of the H100 are those of the captured node in the samples'
SOURCES.md; every line is our own.
"""

from __future__ import annotations

from dataclasses import dataclass

from flightline.audit.answers import Answer
from roles.fabric import evidence, wanted
from roles.fabric.node_checks import ENABLED, MODULES_AT_BOOT, UNIT
from roles.fabric.pcie_checks import DRIVER
from roles.fabric.settings import FabricSettings
from tests.machines.models import BUILDS

HCAS = ("mlx5_0", "mlx5_1", *(f"mlx5_{number}" for number in range(4, 10)))
BRIDGES = ("0000:15:00.0", "0000:16:01.0", "0000:97:00.0", "0000:98:01.0")


@dataclass(frozen=True)
class Fabric:
    """One machine: its settings, and what makes its lines."""

    settings: FabricSettings
    is_roce: bool
    board: str
    firmware: str
    rate: str
    speed: str


MACHINES = {
    "h100_sxm_8": Fabric(
        FabricSettings(
            ports_expected=8,
            link_layer="InfiniBand",
            min_rate_gbps=400,
            firmware_min={"MT_0000000838": "28.41.1000"},
            relaxed_ordering=True,
        ),
        is_roce=False,
        board="MT_0000000838",
        firmware="28.41.1000",
        rate="400 Gb/sec (4X NDR)",
        speed="32.0 GT/s PCIe",
    ),
    "a100_sxm_8": Fabric(
        FabricSettings(
            ports_expected=8,
            link_layer="Ethernet",
            min_rate_gbps=200,
            interface_mtu_bytes=9000,
            rdma_mtu_bytes=4096,
            roce_gid_index=3,
            roce_traffic_class=104,
            roce_pfc_priorities=(3,),
        ),
        is_roce=True,
        board="MT_0000000223",
        firmware="20.41.1000",
        rate="200 Gb/sec (4X HDR)",
        speed="16.0 GT/s PCIe",
    ),
}


def settings(name: str) -> FabricSettings:
    """Return what is declared for that machine; the defaults where it has no fabric of ours."""
    return MACHINES[name].settings if name in MACHINES else FabricSettings()


def answers(name: str) -> dict[str, Answer]:
    """Return the answers of that machine by label, the PCI bus left out."""
    if name not in MACHINES:
        return {}
    machine = MACHINES[name]
    declared = machine.settings
    cards = BUILDS[name].cards
    rdma = _rdma(machine, cards)
    report = evidence.parsed(rdma)
    nccl = wanted.nccl_lines(declared, report)
    names = wanted.packages(declared, "debian")
    printed = {
        "fabric-rdma": (evidence.RDMA, rdma),
        "fabric-verbs": (evidence.VERBS, _verbs(machine)),
        "fabric-nccl": (evidence.NCCL, "".join(f"{key}={nccl[key]}\n" for key in nccl)),
        "fabric-virtual": (evidence.VIRTUAL, "none\n"),
        "fabric-acs": (
            evidence.ACCESS_CONTROL,
            "".join(f"{bridge} 0000\n" for bridge in BRIDGES) + "end\n",
        ),
        "fabric-modules": (
            MODULES_AT_BOOT,
            "# /etc/modules-load.d/x.conf\nib_umad\nrdma_ucm\nmlx5_ib\n",
        ),
        "fabric-unit": (UNIT, "active\n"),
        "fabric-enabled": (ENABLED, "enabled\n"),
        "fabric-packages": (
            evidence.list_packages(declared),
            "debian\n" + "".join(f"hi  {package}\n" for package in names),
        ),
        "fabric-driver": (
            DRIVER,
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\n",
        ),
    }
    if machine.is_roce:
        pairs = " ".join(f"{number}:{'on' if number == 3 else 'off'}" for number in range(8))
        lines = (f"{name} prio-pfc {pairs}\n" for name in _INTERFACES)
        printed["fabric-pfc"] = (evidence.LOSSLESS, "".join(lines))
    return {
        label: Answer(command, 0, stdout.encode()) for label, (command, stdout) in printed.items()
    }


_INTERFACES = tuple(f"gpu{number}_eth" for number in range(len(HCAS)))


def _rdma(machine: Fabric, cards: tuple[str, ...]) -> str:
    lines = [
        "uptime:9000000.00",
        *(f"module:{name}" for name in ("ib_uverbs", "ib_umad", "rdma_ucm", "mlx5_ib", "nvidia")),
        "route:bond0",
        "character:666 /dev/infiniband/rdma_cm",
        *(f"character:666 /dev/infiniband/uverbs{number}" for number in range(9)),
        *(
            f"verbs:uverbs{number}/ibdev:{name}"
            for number, name in enumerate((*HCAS, "mlx5_bond_0"))
        ),
        *(f"mad:umad{number}/ibdev:{name}" for number, name in enumerate(HCAS)),
        *_interface("bond0", 1500),
    ]
    if machine.is_roce:
        lines += [line for name in _INTERFACES for line in _interface(name, 9000)]
    else:
        lines += [f"card:{address}" for address in cards]
    for number, name in enumerate(HCAS):
        lines += _device(machine, number, name, cards[number])
    return "\n".join([*lines, *_bond(), "end", ""])


def _interface(name: str, mtu: int) -> list[str]:
    values = {"mtu": mtu, "operstate": "up", "arp_ignore": 1, "arp_announce": 2, "rp_filter": 2}
    return [f"net:{name}/{key}:{value}" for key, value in values.items()]


def _device(machine: Fabric, number: int, name: str, address: str) -> list[str]:
    own = {
        "fw_ver": machine.firmware,
        "board_id": machine.board,
        "pci": address,
        "driver": "mlx5_core",
        "device/numa_node": int(number >= 4),
        "device/current_link_width": 16,
        "device/max_link_width": 16,
        "device/current_link_speed": machine.speed,
        "device/max_link_speed": machine.speed,
        "config": _configuration(),
    }
    port = {
        "state": "4: ACTIVE",
        "phys_state": "5: LinkUp",
        "rate": machine.rate,
        "link_layer": "Ethernet" if machine.is_roce else "InfiniBand",
        "lid": "0x0" if machine.is_roce else f"0x{number + 0x41:x}",
        "sm_lid": "0x0" if machine.is_roce else "0x1",
        "counters/symbol_error": 0,
        # A sound port after three months: cumulative counters are not zero.
        "counters/link_downed": 3,
        "counters/excessive_buffer_overrun_errors": 0,
        "counters/local_link_integrity_errors": 0,
    }
    lines = [f"device:{name}", *(f"{name}/{key}:{value}" for key, value in own.items())]
    lines += [f"{name}/ports/1/{key}:{value}" for key, value in port.items()]
    return lines + [f"{name}/ports/1/gid:{gid}" for gid in _gids(machine, number)]


def _gids(machine: Fabric, number: int) -> list[str]:
    if not machine.is_roce:
        return [f"0,IB/RoCE v1,,fe80:0000:0000:0000:9c63:c003:00aa:{number:04x}"]
    interface, local = _INTERFACES[number], f"fe80:0000:0000:0000:9c63:c0ff:feaa:{number:04x}"
    mapped = f"0000:0000:0000:0000:0000:ffff:0a{number:02x}:0001"
    kinds = ("IB/RoCE v1", "RoCE v2")
    return [
        f"{place},{kinds[place % 2]},{interface},{local if place < 2 else mapped}"
        for place in range(4)
    ]


def _bond() -> list[str]:
    own = {"fw_ver": "32.38.3056", "board_id": "MT_0000000884", "pci": "0000:5c:00.0"}
    port = {"state": "4: ACTIVE", "phys_state": "5: LinkUp", "rate": "200 Gb/sec (2X NDR)"}
    port |= {"link_layer": "Ethernet", "lid": "0x0", "sm_lid": "0x0"}
    return [
        "device:mlx5_bond_0",
        *(f"mlx5_bond_0/{key}:{value}" for key, value in own.items()),
        *(f"mlx5_bond_0/ports/1/{key}:{value}" for key, value in port.items()),
    ]


def _configuration() -> str:
    """256 bytes: one capability, PCI Express at 0x60, control 0x5936: 4096 bytes, relaxed."""
    raw = bytearray(256)
    raw[0x06], raw[0x34], raw[0x60] = 0x10, 0x60, 0x10
    raw[0x68:0x6A] = (0x5936).to_bytes(2, "little")
    return raw.hex()


def _verbs(machine: Fabric) -> str:
    layer = "Ethernet" if machine.is_roce else "InfiniBand"
    return "".join(
        f"hca_id:\t{name}\n\ttransport:\t\t\tInfiniBand (0)\n\t\tport:\t1\n"
        f"\t\t\tstate:\t\t\tPORT_ACTIVE (4)\n\t\t\tmax_mtu:\t\t4096 (5)\n"
        f"\t\t\tactive_mtu:\t\t4096 (5)\n\t\t\tlink_layer:\t\t{layer}\n\n"
        for name in (*HCAS, "mlx5_bond_0")
    )
