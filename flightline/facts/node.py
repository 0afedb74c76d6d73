"""What a node is: one remote command, one record, remembered until the node reboots."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from flightline.errors import NodeRefused

_FAMILIES = {
    "debian": "debian",
    "ubuntu": "debian",
    "rhel": "rhel",
    "rocky": "rhel",
    "almalinux": "rhel",
    "centos": "rhel",
}

# Linux, drivers/irqchip/irq-gic-v3.c: SMCCC_SOC_ID_T241 0x036b0241; T241 is the Grace CPU.
_GRACE_SOC_ID = "jep106:036b:0241"
_GRACE_PRODUCTS = ("Grace", "GH200", "GB200", "GB300")


@dataclass(frozen=True)
class NumaNode:
    """One NUMA node: its number and its memory in bytes."""

    id: int
    memory_bytes: int


@dataclass(frozen=True)
class NodeFacts:
    """A node as it was when it was read; `node_of` re-reads it after a reboot."""

    distribution: str
    """os-release ID: debian, ubuntu, rhel, rocky, almalinux, centos, or what the node says."""
    version: str
    """os-release VERSION_ID, such as "12", "24.04" or "9.6"."""
    codename: str
    """os-release VERSION_CODENAME; empty where the distribution has none."""
    family: str
    """debian, rhel or unknown."""
    architecture: str
    """`uname -m`."""
    kernel: str
    """`uname -r`."""
    boot_id: str
    """Changes with every boot of the kernel."""
    virtualization: str
    """What systemd-detect-virt says; "none" on bare metal, empty where it cannot be asked."""
    product_name: str
    """DMI product name; empty where the firmware gives none."""
    is_grace: bool
    """The CPU is an NVIDIA Grace."""
    cpus: int
    """Logical CPUs that are online."""
    memory_bytes: int
    numa_nodes: tuple[NumaNode, ...]
    has_cpufreq: bool
    """The kernel can set the CPU's frequency governor."""
    is_uefi: bool
    has_systemd: bool
    """systemd is the init."""
    is_root: bool
    """Commands run as root: directly or through sudo."""
    root_read_only: bool
    """The root file system is mounted read-only."""
    root_free_bytes: int
    boot_free_bytes: int
    var_free_bytes: int
    has_default_route: bool
    """IPv4 or IPv6."""
    apt_lock_holder: str | None
    """Who holds dpkg's, apt's or rpm's lock, such as "apt-get (pid 812)"; None: nobody."""
    dpkg_broken: tuple[str, ...]
    """Packages that dpkg left half installed, unpacked, half configured or to be reinstalled."""
    dpkg_interrupted: bool
    """dpkg was killed in the middle: `dpkg --configure -a` is due."""

    @property
    def is_virtual(self) -> bool:
        """Whether the node is a virtual machine or a container."""
        return self.virtualization not in ("", "none")


def parse_node(text: str) -> NodeFacts:
    """Return the record that the output of node.sh describes.

    Real lines (Debian 12, 2026-11-21): `os=VERSION_ID="12"`, `cpus=0-1`, `numa=Node 0 MemTotal:
    2012112 kB`, `dpkg=iF  docker.io`; under one `room_of=/` each, the table of `df -Pk`. Raises
    ValueError when the text is cut short or a number is not one.
    """
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        values.setdefault(key, []).append(value.strip())
    if "end" not in values:
        raise ValueError("the node's description is cut short")

    def one(key: str) -> str:
        return values.get(key, [""])[0]

    release = dict(_assignment(line) for line in values.get("os", []))
    distribution = release.get("ID", "")
    free = dict(zip(values.get("room_of", []), _free_bytes(text), strict=True))
    return NodeFacts(
        distribution=distribution,
        version=release.get("VERSION_ID", ""),
        codename=release.get("VERSION_CODENAME", ""),
        family=_FAMILIES.get(distribution, "unknown"),
        architecture=one("architecture"),
        kernel=one("kernel"),
        boot_id=one("boot_id"),
        virtualization=one("virtualization"),
        product_name=one("product_name"),
        is_grace=_is_grace(one("architecture"), one("product_name"), one("soc_id")),
        cpus=_count(one("cpus")),
        memory_bytes=_kibibytes(one("memory")),
        numa_nodes=tuple(sorted(map(_numa_node, values.get("numa", [])), key=lambda n: n.id)),
        has_cpufreq=one("has_cpufreq") == "yes",
        is_uefi=one("is_uefi") == "yes",
        has_systemd=one("has_systemd") == "yes",
        is_root=one("uid") == "0",
        root_read_only="ro" in one("root_options").split(","),
        root_free_bytes=free["/"],
        boot_free_bytes=free.get("/boot", free["/"]),
        var_free_bytes=free.get("/var", free["/"]),
        has_default_route=one("has_default_route") == "yes",
        apt_lock_holder=_holder(one("lock_holder")),
        dpkg_broken=tuple(line.split()[-1] for line in values.get("dpkg", [])),
        dpkg_interrupted=one("dpkg_interrupted") == "yes",
    )


class Node(FactBase[NodeFacts | None]):
    """What the node is; None when it could not be asked."""

    def command(self) -> str:
        """Return the one script that asks everything."""
        return Path(__file__).with_name("node.sh").read_text(encoding="utf-8")

    def process(self, output: list[str]) -> NodeFacts:
        """Return the record; raises FactProcessError when the output cannot be understood."""
        try:
            return parse_node("\n".join(output))
        except (ValueError, IndexError, KeyError) as error:
            raise FactProcessError(f"the node's description cannot be read: {error}") from error


_KNOWN: WeakKeyDictionary[Any, NodeFacts] = WeakKeyDictionary()


def node_of(host: Any) -> NodeFacts:
    """Return what is known of a pyinfra host; asks it once, with one command.

    Raises NodeRefused when the node does not answer.
    """
    if host not in _KNOWN:
        facts = host.get_fact(Node)
        if facts is None:
            raise NodeRefused(f"{host.name} did not say what it is; see its error above.")
        _KNOWN[host] = facts
    return _KNOWN[host]


def forget_node(host: Any) -> None:
    """Have the next `node_of` ask again: after a reboot, a new connection, a changed system."""
    _KNOWN.pop(host, None)


def _assignment(line: str) -> tuple[str, str]:
    """From a line of os-release such as `VERSION_ID="12"`, quoted as in a shell."""
    name, _, value = line.partition("=")
    return name, "".join(shlex.split(value))


def _free_bytes(text: str) -> list[int]:
    """Free bytes of each line of `df -Pk`: `/dev/vda1 16402300 963472 14583636 7% /`."""
    rows = [line.split() for line in text.splitlines()]
    return [int(row[3]) * 1024 for row in rows if len(row) >= 6 and row[4].endswith("%")]


def _count(ranges: str) -> int:
    """How many numbers are in the kernel's list format, such as "0-3,8"."""
    ends = [part.partition("-")[::2] for part in ranges.split(",")]
    return sum(int(last or first) - int(first) + 1 for first, last in ends)


def _kibibytes(line: str) -> int:
    """Bytes from a line of meminfo such as "MemTotal:  2014620 kB"."""
    return int(line.split()[-2]) * 1024


def _numa_node(line: str) -> NumaNode:
    """From a line such as "Node 0 MemTotal:  2014620 kB"."""
    return NumaNode(int(line.split()[1]), _kibibytes(line))


def _holder(text: str) -> str | None:
    pid, _, program = text.partition(" ")
    return f"{program or 'a process'} (pid {pid})" if pid else None


def _is_grace(architecture: str, product_name: str, soc_id: str) -> bool:
    named = any(name in product_name for name in _GRACE_PRODUCTS)
    return architecture == "aarch64" and (named or soc_id == _GRACE_SOC_ID)
