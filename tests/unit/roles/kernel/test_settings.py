"""What KernelSettings refuses, and that it says so in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from flightline.errors import SettingsError
from roles.kernel.settings import KernelSettings


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"extra_arguments": ("iommu=off",)}, "iommu is set by iommu"),
        ({"extra_arguments": ("hugepages=4",)}, "hugepages is set by hugepages_2mib_per_node"),
        ({"extra_arguments": ("pci=noaer",)}, "pci is set by pci_options"),
        ({"extra_arguments": ("quiet", "quiet")}, "extra_arguments has quiet twice"),
        ({"extra_arguments": ("a=b c",)}, "extra_arguments"),
        ({"extra_arguments": ('a="$(id)"',)}, "extra_arguments"),
        ({"extra_arguments": ("a;b",)}, "extra_arguments"),
        ({"pci_options": ("realloc=off", "realloc=on")}, "pci_options has realloc twice"),
        ({"modules": ("nvidia-uvm",)}, "modules"),
        ({"modules": ("nouveau",)}, "modules has 'nouveau' while nouveau_removed is True"),
        ({"hugepages_2mib_per_node": -1}, "hugepages_2mib_per_node"),
        ({"hugepages_2mib_per_node": "many"}, "hugepages_2mib_per_node"),
        ({"hugepages_max_fraction": 1.5}, "hugepages_max_fraction"),
        ({"sysctl": {"vm.nr_hugepages": 64}}, "hugepages_2mib_per_node sets huge pages"),
        ({"sysctl": {"vm.swappiness": "1\nkernel.panic = 1"}}, "expected one line of words"),
        ({"sysctl": {"vm.swappiness; reboot": 1}}, "sysctl"),
        ({"memlock_gib": 0}, "memlock_gib"),
        ({"open_files": 10_000_000}, "open_files"),
        ({"iommu": "off"}, "iommu"),
        ({"cpu_governor": "fast"}, "cpu_governor"),
        ({"hugepages": 64}, "KernelSettings has no field hugepages"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_declared(values: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        KernelSettings(**values)
    assert told in refusal.value.message
    assert "test_settings.py" in refusal.value.message
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    "argument", ["init_on_alloc=0", "console=ttyS0,115200n8", "quiet", "nvme.poll_queues=4"]
)
def test_ordinary_arguments_are_taken(argument: str) -> None:
    assert KernelSettings(extra_arguments=(argument,)).extra_arguments == (argument,)


def test_nouveau_may_be_loaded_where_it_is_not_removed() -> None:
    assert KernelSettings(modules=("nouveau",), nouveau_removed=False).modules == ("nouveau",)
