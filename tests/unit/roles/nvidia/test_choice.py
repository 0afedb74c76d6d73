"""Each machine gets the driver that drives it, from the source that is declared."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from flightline.errors import NodeRefused
from roles.nvidia.choice import machine, repository_path
from roles.nvidia.settings import NvidiaSettings
from tests.unit.roles.nvidia.states import (
    B200,
    BARE,
    DEBIAN_12,
    DEBIAN_13,
    GB200,
    H100,
    H200,
    KERNEL,
    L40S,
    NVSWITCH,
    OWN,
    ROCKY,
    UBUNTU,
    V100,
    chosen,
    gpus,
    state,
)

NVIDIA = NvidiaSettings()
IMAGE = {"install": "always", "kernel_modules": "proprietary"}


def names(settings: NvidiaSettings, **rest: Any) -> set[str]:
    packages = chosen(settings, **rest).packages
    assert packages is not None
    return set(packages.names)


def test_a_node_without_a_gpu_is_left_alone() -> None:
    assert machine((), DEBIAN_12, NVIDIA) is None
    assert machine((), DEBIAN_12, NvidiaSettings(install="always")) is not None


@pytest.mark.parametrize(
    ("device_id", "flavour"),
    [(H100, "open"), (L40S, "open"), (B200, "open"), (V100, "proprietary")],
)
def test_the_flavour_follows_the_gpu(device_id: str, flavour: str) -> None:
    assert chosen(NVIDIA, devices=gpus(device_id)).flavour == flavour


def test_an_image_without_a_gpu_names_what_it_wants() -> None:
    with pytest.raises(NodeRefused, match="kernel_modules"):
        chosen(NvidiaSettings(install="always", branch=580))
    with pytest.raises(NodeRefused, match="declare branch"):
        chosen(NvidiaSettings(**IMAGE))


def test_the_branch_is_the_longest_supported_one_that_knows_the_gpu() -> None:
    """580 is supported until 2028; 580 is also Volta's last (NVIDIA's driver lifecycle)."""
    assert chosen(NVIDIA, devices=gpus(H200)).branch == 580
    assert chosen(NVIDIA, devices=gpus(V100)).branch == 580


def test_a_declared_version_decides_the_branch() -> None:
    settings = NvidiaSettings(version="570.172.08")
    assert chosen(settings, devices=gpus(H100)).branch == 570


def test_an_installed_branch_is_kept_while_nothing_else_is_declared() -> None:
    kept = state(packages={"nvidia-kernel-open-dkms": "570.172.08-1"})
    assert chosen(NVIDIA, devices=gpus(H100), found=kept).branch == 570
    unfit = state(packages={"nvidia-kernel-open-dkms": "525.147.05-1"})
    assert chosen(NVIDIA, devices=gpus(H200), found=unfit).branch == 580


@pytest.mark.parametrize(("node", "branch"), [(DEBIAN_12, 535), (DEBIAN_13, 550)])
def test_debian_has_one_branch(node: Any, branch: int) -> None:
    assert chosen(OWN, devices=gpus(V100), node=node).branch == branch
    other = NvidiaSettings(source="distribution", branch=580)
    with pytest.raises(NodeRefused, match=rf"branch {branch} only.*580 is declared"):
        chosen(other, devices=gpus(V100), node=node)


def test_debians_set_is_headless() -> None:
    found = names(OWN, devices=gpus(H100))
    assert {"nvidia-kernel-dkms", "libcuda1", "nvidia-smi", "nvidia-persistenced"} <= found
    assert not [name for name in found if re.search(r"xserver|glx|driver-libs|settings", name)]


def test_an_image_from_the_distribution_needs_no_branch() -> None:
    assert "nvidia-kernel-dkms" in names(NvidiaSettings(source="distribution", **IMAGE))


def test_ubuntus_server_packages_carry_branch_and_flavour() -> None:
    settings = NvidiaSettings(source="distribution", branch=580)
    found = names(settings, devices=gpus(H100), node=UBUNTU)
    assert {
        "nvidia-dkms-580-server-open",
        "nvidia-headless-no-dkms-580-server-open",
        "nvidia-utils-580-server",
    } <= found


def test_ubuntus_signed_modules_are_taken_under_secure_boot() -> None:
    settings = NvidiaSettings(source="distribution", branch=580)
    there = state(BARE, is_secure_boot_on=True)
    choice = chosen(settings, devices=gpus(H100), node=UBUNTU, found=there)
    assert choice.packages
    assert f"linux-modules-nvidia-580-server-open-{KERNEL}" in choice.packages.names
    assert not choice.builds_modules
    assert not [name for name in choice.packages.names if name.startswith("nvidia-dkms")]


@pytest.mark.parametrize(
    ("node", "branch", "expected"),
    [
        (DEBIAN_12, 580, {"nvidia-kernel-open-dkms", "nvidia-driver-cuda"}),
        (UBUNTU, 580, {"nvidia-dkms-580-open", "libnvidia-compute-580", "nvidia-utils-580"}),
        (UBUNTU, 595, {"nvidia-dkms-open", "libnvidia-compute"}),
        (ROCKY, 580, {"kmod-nvidia-open-dkms", "nvidia-driver-cuda"}),
    ],
)
def test_nvidias_repository_has_its_own_names(node: Any, branch: int, expected: set[str]) -> None:
    found = names(NvidiaSettings(branch=branch), devices=gpus(H100), node=node)
    assert expected <= found
    assert "datacenter-gpu-manager-4-cuda13" in found
    assert not found & {"nvidia-open", "cuda-drivers", "nvidia-driver"}


def test_rhels_module_stream_is_of_branch_and_flavour() -> None:
    for device_id, stream in ((H100, "580-open"), (V100, "580-dkms")):
        choice = chosen(NVIDIA, devices=gpus(device_id), node=ROCKY)
        assert choice.packages
        assert choice.packages.stream == stream


@pytest.mark.parametrize(
    ("branch", "node", "name"),
    [
        (570, DEBIAN_12, "nvidia-fabricmanager-570"),
        (580, DEBIAN_12, "nvidia-fabricmanager"),
        (570, ROCKY, "nvidia-fabric-manager"),
        (580, ROCKY, "nvidia-fabricmanager"),
    ],
)
def test_the_fabric_manager_changed_its_name_at_580(branch: int, node: Any, name: str) -> None:
    settings = NvidiaSettings(branch=branch)
    choice = chosen(settings, devices=(*gpus(H100), NVSWITCH), node=node)
    assert choice.packages
    assert name in choice.packages.exact  # equal to the driver to the last digit


@pytest.mark.parametrize(
    ("devices", "changes", "manager", "subnet"),
    [
        ((*gpus(H100), NVSWITCH), {}, True, False),
        (gpus(H100), {}, False, False),  # a part of a machine, or one card with bridges
        (gpus(B200), {}, True, True),  # its switches are not on the bus
        (gpus(B200), {"virtualization": "kvm"}, False, False),
        (gpus(GB200, 4), {}, False, False),  # the rack's own switches
        (gpus(L40S), {}, False, False),
    ],
)
def test_the_fabric_manager_runs_where_switches_are(
    devices: Any, changes: dict[str, Any], manager: bool, subnet: bool
) -> None:
    found = machine(devices, replace(DEBIAN_12, **changes), NVIDIA)
    assert found
    assert (found.needs_fabric_manager, found.needs_subnet_manager) == (manager, subnet)


def test_debian_has_no_fabric_manager() -> None:
    with pytest.raises(NodeRefused, match='source="nvidia"'):
        chosen(OWN, devices=(*gpus(H100), NVSWITCH))


@pytest.mark.parametrize(
    ("node", "path"),
    [
        (DEBIAN_12, "debian12/x86_64"),
        (UBUNTU, "ubuntu2404/x86_64"),
        (ROCKY, "rhel9/x86_64"),
        (replace(UBUNTU, architecture="aarch64"), "ubuntu2404/sbsa"),
    ],
)
def test_nvidia_names_systems_without_dots(node: Any, path: str) -> None:
    assert repository_path(node) == path


def test_a_system_without_a_driver_is_refused_by_name() -> None:
    with pytest.raises(NodeRefused, match=r'rocky 9\.6 has no NVIDIA driver.*source="nvidia"'):
        chosen(OWN, devices=gpus(H100), node=ROCKY)
    with pytest.raises(NodeRefused, match="riscv64"):
        chosen(OWN, devices=gpus(H100), node=replace(DEBIAN_12, architecture="riscv64"))
