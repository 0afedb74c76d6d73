"""Which arguments a platform gets; expectations are those of NVIDIA's published profiles."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roles.kernel.platforms import EXCLUSIONS, Platform, arguments
from roles.kernel.settings import KernelSettings

SERVER = Platform("debian", "x86_64", is_virtual=False, is_grace=False, numa_nodes=2)
GRACE = replace(SERVER, architecture="aarch64", is_grace=True)
VIRTUAL = replace(SERVER, is_virtual=True, numa_nodes=1)
HOPPER = KernelSettings(
    pci_options=("realloc=off", "disable_acs_redir=pci:0:0"),
    hugepages_2mib_per_node=4096,
    hugepages_1gib_per_node=2,
    extra_arguments=("init_on_alloc=0",),
)


def test_a_bare_metal_server_gets_everything_and_totals_over_its_numa_nodes() -> None:
    assert arguments(HOPPER, SERVER) == (
        "modprobe.blacklist=nouveau",
        "nouveau.modeset=0",
        "iommu=pt",
        "pci=realloc=off,disable_acs_redir=pci:0:0",
        "transparent_hugepage=madvise",
        "hugepagesz=1G hugepages=4",
        "hugepagesz=2M hugepages=8192",
        "cpufreq.default_governor=performance",
        "init_on_alloc=0",
    )


def test_grace_gets_no_iommu_argument() -> None:
    assert "iommu=pt" not in arguments(HOPPER, GRACE)
    assert "iommu=pt" not in arguments(HOPPER, replace(SERVER, architecture="aarch64"))


def test_a_virtual_machine_keeps_acs_and_gets_no_governor() -> None:
    found = arguments(HOPPER, VIRTUAL)
    assert "pci=realloc=off" in found
    assert not [word for word in found if "acs" in word or "governor" in word]


def test_dracut_is_told_on_rhel_only() -> None:
    told = "rd.driver.blacklist=nouveau"
    assert told in arguments(HOPPER, replace(SERVER, family="rhel"))
    assert told not in arguments(HOPPER, SERVER)


def test_none_and_zero_leave_the_distribution_its_choice() -> None:
    nothing = KernelSettings(
        nouveau_removed=False, iommu=None, transparent_hugepages=None, cpu_governor=None
    )
    assert arguments(nothing, SERVER) == ()


@pytest.mark.parametrize("entry", EXCLUSIONS, ids=lambda entry: entry.prefix)
def test_every_exclusion_says_why_and_who_says_so(entry: object) -> None:
    assert getattr(entry, "reason", "")
    assert getattr(entry, "source", "")
