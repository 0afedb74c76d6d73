"""What role and checks ask a node about its fabric: commands and plain parsing, no pyinfra."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from testinfra.host import Host

from flightline.audit.check import not_applicable, unknown
from flightline.gpu.rdma import SCRIPT, RdmaPort, RdmaReport, parse_rdma
from roles.fabric import wanted
from roles.fabric.settings import FabricSettings

RDMA = SCRIPT
"""Answers `report`."""

VERBS = "LC_ALL=C ibv_devinfo"
"""Answers `verbs`."""

NCCL = f"cat {wanted.NCCL_CONF}"
VIRTUAL = "systemd-detect-virt"

BRIDGES = """\
for slot in /sys/bus/pci/devices/*; do
    read -r class <"$slot/class" || continue
    read -r vendor <"$slot/vendor" || continue
    case $vendor$class in 0x10de0x03*) ;; *) [ -d "$slot/infiniband" ] || continue ;; esac
    case $(readlink "$slot/driver") in */vfio-pci) continue ;; esac
    readlink -f "$slot" | tr / '\\n' | grep -E '^[0-9a-f]{4,}:' | sed '$d'
done 2>/dev/null | sort -u"""
"""Prints the PCI addresses of the bridges above GPUs and HCAs; not of those that guests have."""

ACCESS_CONTROL = f"""\
command -v setpci >/dev/null || {{ echo no setpci; exit 0; }}
{BRIDGES} | while read -r bridge; do
    echo "$bridge $(setpci -s "$bridge" ECAP_ACS+6.w 2>/dev/null)"
done
echo end"""
"""Prints each of these bridges with its ACS control register, or nothing where it has none."""

LOSSLESS = """\
cat /sys/class/infiniband/*/ports/*/gid_attrs/ndevs/0 2>/dev/null | sort -u |
    while read -r interface; do
        echo "$interface $(dcb pfc show dev "$interface" prio-pfc 2>/dev/null)"
    done"""
"""Prints each RoCE interface with its lossless priorities, or nothing where it has none at all."""

# PCI Express Base 5.0, 7.7.8.3: source validation, request redirect, completion redirect, upstream
# forwarding: what sends peer traffic through the root complex. The other bits do not.
REDIRECTS = 0x01 | 0x04 | 0x08 | 0x10


def redirecting(printed: str) -> tuple[str, ...]:
    """Return the bridges whose ACS redirects peer traffic.

    A line such as "0000:14:00.0 001d" (setpci 3.9); a bridge without ACS has no second word. Raises
    ValueError where setpci is not installed, or the list is cut short.
    """
    lines = printed.splitlines()
    if lines[-1:] != ["end"]:
        raise ValueError("the ACS of PCIe bridges cannot be read: setpci is missing or failed")
    pairs = (line.split() for line in lines[:-1])
    return tuple(
        pair[0]
        for pair in pairs
        if len(pair) == 2 and re.fullmatch("[0-9a-f]{4}", pair[1]) and int(pair[1], 16) & REDIRECTS
    )


def lossless(printed: str) -> dict[str, set[int]]:
    """Return the priorities with PFC on, by interface; one that does not say is left out.

    A line as iproute2's dcb prints it: "ens1f0 prio-pfc 0:off 1:off 2:off 3:on 4:off ..."
    (dcb/dcb_pfc.c, read 2026-11-21).
    """
    found = {}
    for line in printed.splitlines():
        name, _, said = line.strip().partition(" ")
        pairs = said.split()
        if "prio-pfc" in pairs:
            found[name] = {int(pair[:-3]) for pair in pairs if pair.endswith(":on")}
    return found


@dataclass(frozen=True)
class VerbsPort:
    """A port as a program that uses libibverbs sees it; MTUs in bytes."""

    active_mtu: int
    max_mtu: int


def report(host: Host, settings: FabricSettings) -> RdmaReport:
    """Return what RDMA the node has; ends the check as not applicable where none is meant to be."""
    found = _understood(parsed, host.run(RDMA).stdout)
    if not wanted.concerns(settings, found):
        not_applicable(
            'FabricSettings.enabled is "off"'
            if settings.enabled == "off"
            else "no device in /sys/class/infiniband and no InfiniBand card on the PCI bus"
        )
    return found


def compute_ports(host: Host, settings: FabricSettings) -> tuple[RdmaPort, ...]:
    """Return the compute ports; ends the check as not applicable without any."""
    ports = wanted.compute_ports(settings, report(host, settings))
    if not ports:
        not_applicable("no compute port is there; fabric-devices-present judges that")
    return ports


def verbs(host: Host) -> dict[str, VerbsPort]:
    """Return the ports that libibverbs opens, by "device:port"; empty where it finds no device.

    Ends the check as unknown where ibv_devinfo is not installed.
    """
    answer = host.run(VERBS)
    if answer.rc == 127:  # the shell's status for a program that is not there
        unknown("ibv_devinfo is not installed")
    return parse_verbs(answer.stdout)


def parse_verbs(printed: str) -> dict[str, VerbsPort]:
    """Return the ports in the output of ibv_devinfo.

    Real lines (rdma-core 44, Debian 12): "hca_id:	rxe_eth1", "		port:	1",
    "			active_mtu:		4096 (5)".
    """
    found: dict[str, dict[str, int]] = {}
    device = port = ""
    for line in printed.splitlines():
        key, _, value = line.strip().partition(":")
        if key == "hca_id":
            device = value.strip()
        elif key == "port":
            port = f"{device}:{value.strip()}"
        elif key in ("active_mtu", "max_mtu"):
            found.setdefault(port, {})[key] = int(value.split()[0])
    return {name: VerbsPort(**values) for name, values in found.items() if len(values) == 2}


@dataclass(frozen=True)
class StackPackages:
    """What of the declared packages is there."""

    family: str
    wanted: tuple[str, ...]
    installed: frozenset[str]
    held: frozenset[str]


def list_packages(settings: FabricSettings) -> str:
    """Return the question for the stack's packages: one, whatever the distribution."""
    debian, rhel = (shlex.join(wanted.packages(settings, each)) for each in ("debian", "rhel"))
    return (
        "if command -v dpkg-query >/dev/null; then echo debian; dpkg-query -W "
        f"-f '${{db:Status-Abbrev}} ${{Package}}\\n' {debian}; else echo rhel; "
        f"rpm -q --qf 'ii %{{NAME}}\\n' {rhel}; "
        "sed 's/^/lock /' /etc/dnf/plugins/versionlock.list; fi 2>/dev/null"
    )


def packages(host: Host, settings: FabricSettings) -> StackPackages:
    """Return the state of the stack's packages; unknown where the node does not list them."""
    family, *lines = host.run(list_packages(settings)).stdout.splitlines() or [""]
    if family not in ("debian", "rhel"):
        unknown("the node does not list its packages")
    words = [line.split() for line in lines if len(line.split()) == 2]
    installed = {name for status, name in words if status[1:2] == "i"}
    locks = [lock for status, lock in words if status == "lock"]
    held = {name for status, name in words if status[:1] == "h"}
    held |= {
        name for name in installed for lock in locks if re.match(rf"{re.escape(name)}-\d", lock)
    }
    names = wanted.packages(settings, family)
    return StackPackages(family, names, frozenset(installed), frozenset(held))


def is_virtual(host: Host) -> bool:
    """Return whether the node is a guest, whose PCIe settings are the hypervisor's."""
    return str(host.run(VIRTUAL).stdout).strip() != "none"


def nccl(host: Host, settings: FabricSettings) -> dict[str, str]:
    """Return the variables of /etc/nccl.conf, as NCCL would read them."""
    if not settings.nccl_conf:
        not_applicable("FabricSettings.nccl_conf is False")
    lines = (line.partition("=") for line in host.run(NCCL).stdout.splitlines())
    return {name.strip(): value for name, sign, value in lines if sign and name[:1] != "#"}


T = TypeVar("T")


def _understood(parse: Callable[[str], T], printed: str) -> T:
    try:
        return parse(printed)
    except ValueError as error:
        unknown(f"{error}.")


@lru_cache(maxsize=16)
def parsed(printed: str) -> RdmaReport:
    """Return the report; an audit re-runs its checks, and most of them ask for it."""
    return parse_rdma(printed)


def redirecting_bridges(host: Host) -> tuple[str, ...]:
    """Return the bridges above GPUs and HCAs whose ACS redirects peer traffic; else unknown."""
    return _understood(redirecting, host.run(ACCESS_CONTROL).stdout)
