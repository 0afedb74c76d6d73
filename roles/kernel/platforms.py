"""What a platform must not be given, as data; and the kernel arguments that remain for a node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from roles.kernel.settings import KernelSettings


@dataclass(frozen=True)
class Platform:
    """The few properties of a node that change what its kernel is told."""

    family: str
    """"debian" or "rhel"."""
    architecture: str
    """uname -m."""
    is_virtual: bool
    is_grace: bool
    numa_nodes: int
    """NUMA nodes with CPUs and memory, on each of which huge pages are reserved."""


@dataclass(frozen=True)
class Exclusion:
    """Arguments that a kind of platform must not get, with the reason and who says so."""

    prefix: str
    concerns: Callable[[Platform], bool]
    reason: str
    source: str


EXCLUSIONS = (
    Exclusion(
        "iommu=pt",
        lambda node: node.is_grace,
        "Grace reaches GPU memory coherently through its SMMU",
        "NVIDIA BaseOS nv-iommu-pt, 2026-11-20",
    ),
    Exclusion(
        "iommu=pt",
        lambda node: node.architecture != "x86_64",
        "iommu= is an x86 parameter",
        "kernel-parameters.txt, Linux 6.1",
    ),
    Exclusion(
        "disable_acs_redir",
        lambda node: node.is_virtual,
        "in a virtual machine ACS stays, peers use ATS",
        "NVIDIA AI Enterprise, GPUDirect in VMs",
    ),
    Exclusion(
        "config_acs",
        lambda node: node.is_virtual,
        "in a virtual machine ACS stays, peers use ATS",
        "NVIDIA AI Enterprise, GPUDirect in VMs",
    ),
    Exclusion(
        "cpufreq.default_governor",
        lambda node: node.is_virtual,
        "the hypervisor owns the frequency",
        "NVIDIA BaseOS nv-cpu-governor: ConditionVirtualization=no",
    ),
    Exclusion(
        "rd.driver.blacklist",
        lambda node: node.family != "rhel",
        "read by dracut only",
        "dracut.cmdline(7)",
    ),
)


def arguments(settings: KernelSettings, platform: Platform) -> tuple[str, ...]:
    """Return the declared kernel arguments of a node, in order.

    One entry is what must stand together: "hugepagesz=2M hugepages=64" is one argument.
    """
    pci = [option for option in settings.pci_options if _allowed(option, platform)]
    wanted = (
        *_nouveau(settings),
        *([f"iommu={settings.iommu}"] if settings.iommu else []),
        *([f"pci={','.join(pci)}"] if pci else []),
        *_memory(settings, platform.numa_nodes),
        *([f"cpufreq.default_governor={settings.cpu_governor}"] if settings.cpu_governor else []),
        *settings.extra_arguments,
    )
    return tuple(argument for argument in wanted if _allowed(argument, platform))


def _allowed(argument: str, platform: Platform) -> bool:
    return not any(
        argument.startswith(entry.prefix) and entry.concerns(platform) for entry in EXCLUSIONS
    )


def _nouveau(settings: KernelSettings) -> tuple[str, ...]:
    if not settings.nouveau_removed:
        return ()
    return ("modprobe.blacklist=nouveau", "nouveau.modeset=0", "rd.driver.blacklist=nouveau")


def _memory(settings: KernelSettings, numa_nodes: int) -> list[str]:
    """Totals: the kernel spreads `hugepages=` evenly over the NUMA nodes (hugetlbpage.rst)."""
    found = []
    if settings.transparent_hugepages:
        found.append(f"transparent_hugepage={settings.transparent_hugepages}")
    if settings.hugepages_1gib_per_node:
        found.append(f"hugepagesz=1G hugepages={settings.hugepages_1gib_per_node * numa_nodes}")
    if settings.hugepages_2mib_per_node:
        found.append(f"hugepagesz=2M hugepages={settings.hugepages_2mib_per_node * numa_nodes}")
    return found
