"""What is done to a driver that is not as declared, and when it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flightline.errors import NodeRefused
from roles.nvidia.facts import GpuUser, Kernel
from roles.nvidia.settings import NvidiaSettings
from roles.nvidia.work import managed, prefix, work
from tests.unit.roles.nvidia.states import (
    BARE,
    H100,
    KERNEL,
    OWN,
    UBUNTU,
    chosen,
    gpus,
    state,
    worked,
)

OTHER = OWN.model_copy(update={"kernel_modules": "open", "upgrade_allowed": True})
VLLM = GpuUser(812, "vllm", "3f2a9c81d0aa")


def test_a_driver_as_declared_is_left_alone() -> None:
    assert not worked().is_needed


def test_a_bare_node_gets_headers_for_its_kernel_and_for_the_next_ones() -> None:
    task = worked(found=state(BARE))
    assert task.install
    assert not task.replaces
    assert task.prerequisites == ("dkms", f"linux-headers-{KERNEL}", "linux-headers-amd64")
    assert task.built_for == (KERNEL,)


def test_a_new_kernel_without_the_module_is_built_for_and_replaces_nothing() -> None:
    there = state()
    newer = Kernel("6.1.0-57-amd64", False, "", None)
    task = worked(found=replace(there, kernels=(*there.kernels, newer)))
    assert task.install
    assert not task.replaces
    assert "linux-headers-6.1.0-57-amd64" in task.prerequisites


@pytest.mark.parametrize("name", ["libcuda1", "nvidia-smi", "nvidia-persistenced"])
def test_a_missing_part_is_installed_in_the_version_that_is_there(name: str) -> None:
    there = state()
    less = {key: value for key, value in there.packages.items() if key != name}
    found = replace(there, packages=less)
    task = worked(found=found)
    assert task.install
    assert not task.replaces
    assert prefix(chosen(OWN, devices=gpus(H100), found=found), found) == "535.309.01"


def test_a_library_of_another_version_is_noticed() -> None:
    there = state()
    found = replace(there, packages={**there.packages, "libcuda1": "535.261.03-1"})
    assert worked(found=found).install


def test_a_hold_that_was_taken_off_is_put_back() -> None:
    there = state()
    task = worked(found=replace(there, held=there.held - {"libcuda1"}))
    assert task.unheld == ("libcuda1",)
    assert not task.install
    free = OWN.model_copy(update={"hold_packages": False})
    assert not worked(free, found=replace(there, held=frozenset())).is_needed


def test_a_driver_that_is_not_loaded_is_loaded_unless_nouveau_is_there() -> None:
    unloaded = replace(state(), loaded="", loaded_flavour=None)
    assert worked(found=unloaded).load
    assert not worked(found=replace(unloaded, is_nouveau_bound=True)).load


def test_another_driver_is_replaced_only_where_that_is_allowed() -> None:
    refused = OTHER.model_copy(update={"upgrade_allowed": False})
    with pytest.raises(NodeRefused, match=r"has driver 535\.309\.01, loaded.*upgrade_allowed=True"):
        worked(refused)
    assert worked(OTHER).replaces


def test_a_version_of_the_same_branch_is_an_upgrade_too() -> None:
    settings = NvidiaSettings(
        source="distribution", kernel_modules="proprietary", version="535.261.03"
    )
    with pytest.raises(NodeRefused, match="upgrade_allowed"):
        worked(settings)


def test_jobs_on_the_gpus_stop_an_upgrade_by_name() -> None:
    ours = GpuUser(700, "nvidia-persiste", "")
    with pytest.raises(NodeRefused, match=r"in use by vllm \(pid 812, container 3f2a9c81d0aa\);"):
        worked(OTHER, found=replace(state(), users=(ours, VLLM)))
    assert worked(OTHER, found=replace(state(), users=(ours,))).replaces


def test_jobs_on_the_gpus_are_the_drain_commands_to_end() -> None:
    settings = OTHER.model_copy(update={"drain_command": "drain"})
    assert worked(settings, found=replace(state(), users=(VLLM,))).replaces


def test_nothing_is_refused_while_nothing_changes() -> None:
    assert not worked(found=replace(state(), users=(VLLM,))).is_needed


def test_packages_of_another_branch_cannot_stay() -> None:
    there = state()
    older = {"libnvidia-compute-535-server": "535.309.01-0ubuntu1", "nvidia-dkms-535": "535.1-1"}
    settings = NvidiaSettings(branch=580, upgrade_allowed=True)
    task = worked(settings, found=replace(there, packages=older))
    assert task.removed == ("libnvidia-compute-535-server", "nvidia-dkms-535")


def test_ubuntus_signed_modules_are_a_driver_too() -> None:
    settings = NvidiaSettings(source="distribution", branch=580)
    bare = replace(state(BARE), is_secure_boot_on=True)
    choice = chosen(settings, devices=gpus(H100), node=UBUNTU, found=bare)
    assert choice.packages
    there = replace(
        bare,
        packages={
            **dict.fromkeys(choice.packages.exact, "580.105.08-0ubuntu1"),
            **dict.fromkeys(choice.packages.beside, "6.8.0-50.51"),
        },
        held=frozenset(choice.packages.names),
        kernels=(Kernel(KERNEL, False, "580.105.08", "open"),),
        loaded="580.105.08",
    )
    assert not work(choice, there, settings).is_needed
    part = choice.packages.locked[0]
    less = {name: version for name, version in there.packages.items() if name != part}
    task = work(choice, replace(there, packages=less), settings)
    assert task.install
    assert not task.replaces


def test_nvidias_installer_does_not_overwrite_packages() -> None:
    settings = NvidiaSettings(
        source="runfile",
        version="580.105.08",
        runfile={"url": "file:///a.run", "sha256": "0" * 64},
        upgrade_allowed=True,
    )
    with pytest.raises(NodeRefused, match="nvidia-kernel-dkms would be overwritten"):
        worked(settings)


def test_nvidias_installer_is_not_run_twice() -> None:
    settings = NvidiaSettings(
        source="runfile", version="580.105.08", runfile={"url": "file:///a.run", "sha256": "0" * 64}
    )
    kernels = (Kernel(KERNEL, True, "580.105.08", "open"),)
    there = replace(state(BARE), kernels=kernels, loaded="580.105.08", loaded_flavour="open")
    assert not worked(settings, found=there).is_needed


def test_a_loaded_driver_from_an_unknown_place_is_not_replaced_unasked() -> None:
    there = replace(state(BARE), loaded="570.172.08", loaded_flavour="open")
    with pytest.raises(NodeRefused, match=r"driver 570\.172\.08, loaded.*upgrade_allowed"):
        worked(found=there)


def test_what_the_gpus_were_set_to_is_set_again_after_a_replacement() -> None:
    there = replace(state(), units=("flightline-gpu.service", "vllm.service"))
    assert managed(there) == ("flightline-gpu.service",)
