"""Which files and services a machine gets."""

from __future__ import annotations

from typing import Any

import pytest

from flightline.operations.bundle import Absent, File
from roles.nvidia import files
from roles.nvidia.settings import NvidiaSettings
from tests.unit.roles.nvidia.states import (
    B200,
    BARE,
    DEBIAN_12,
    H100,
    NVSWITCH,
    OWN,
    ROCKY,
    chosen,
    gpus,
    state,
)

EIGHT = gpus(H100)
OPTIONS = {"NVreg_EnableStreamMemOPs": 1, "NVreg_RegistryDwords": "PeerMappingOverride=1;"}
IMAGE = NvidiaSettings(install="always", source="distribution", kernel_modules="proprietary")


def found(settings: NvidiaSettings, devices: Any = EIGHT, node: Any = DEBIAN_12) -> dict[str, Any]:
    there = state(BARE)
    choice = chosen(settings, devices=devices, node=node, found=there)
    items = files.items(settings, node, choice, there)
    return {item.path: item.content if isinstance(item, File) else None for item in items}


def units(settings: NvidiaSettings, devices: Any = EIGHT) -> dict[str, Any]:
    choice = chosen(settings, devices=devices)
    return {each.unit: each.running for each in files.services(settings, choice.machine)}


def test_module_options_reach_the_module_under_both_of_its_names() -> None:
    """Debian's package calls the file nvidia-current; an alias does not carry options over."""
    settings = OWN.model_copy(update={"module_options": OPTIONS})
    line = "NVreg_EnableStreamMemOPs=1 NVreg_RegistryDwords=PeerMappingOverride=1;"
    assert found(settings)[files.OPTIONS].splitlines()[1:] == [
        f"options nvidia {line}",
        f"options nvidia-current {line}",
    ]
    nvidia = NvidiaSettings(module_options=OPTIONS)
    assert found(nvidia, node=ROCKY)[files.OPTIONS].splitlines()[1:] == [f"options nvidia {line}"]


def test_changed_module_options_rebuild_the_initramfs() -> None:
    hooks = {hook.paths: hook.command for hook in files.hooks(OWN, DEBIAN_12)}
    assert hooks[files.OPTIONS,] == "update-initramfs -u -k all"
    assert found(OWN)[files.OPTIONS] is None  # and removed ones are absent


@pytest.mark.parametrize(
    ("settings", "devices", "modules"),
    [
        (OWN, gpus(H100), ["nvidia", "nvidia_uvm"]),
        (NvidiaSettings(), gpus(B200), ["nvidia", "nvidia_uvm", "ib_umad"]),
    ],
)
def test_modules_are_loaded_at_boot(settings: NvidiaSettings, devices: Any, modules: Any) -> None:
    text = found(settings, devices)[files.MODULES]
    assert [line for line in text.splitlines() if not line.startswith("#")] == modules


def test_an_image_without_a_gpu_loads_nothing_and_starts_nothing() -> None:
    """systemd-modules-load would fail there, and leave the node degraded."""
    assert found(IMAGE, ())[files.MODULES] is None
    assert set(units(IMAGE, ()).values()) == {None}


def test_services_are_those_of_the_machine() -> None:
    assert units(OWN) == {"nvidia-persistenced.service": True, "flightline-gpu.service": True}
    assert set(units(NvidiaSettings(imex_nodes=("10.0.0.1",)), (*gpus(H100), NVSWITCH))) == {
        "nvidia-persistenced.service",
        "nvidia-fabricmanager.service",
        "nvidia-imex.service",
        "nvidia-dcgm.service",
        "flightline-gpu.service",
    }
    idle = OWN.model_copy(update={"persistence": False})
    assert set(units(idle)) == {"flightline-gpu.service"}


def test_the_installer_brings_no_unit_of_the_persistence_daemon() -> None:
    settings = NvidiaSettings(
        source="runfile", version="580.105.08", runfile={"url": "file:///a.run", "sha256": "0" * 64}
    )
    assert set(units(settings)) == {"flightline-gpu.service"}


def test_imex_has_its_nodes_in_order() -> None:
    text = found(NvidiaSettings(imex_nodes=("10.0.0.2", "10.0.0.1")))[files.IMEX_NODES]
    assert text == "10.0.0.2\n10.0.0.1\n"


@pytest.mark.parametrize(
    ("profiles", "text"),
    [(None, "leave"), ((), ""), (("3g.40gb", "1g.10gb", "3g.40gb"), "1g.10gb 3g.40gb 3g.40gb")],
)
def test_a_mig_layout_is_compared_without_its_order(profiles: Any, text: str) -> None:
    assert files.layout(profiles) == text


def test_no_path_appears_twice() -> None:
    settings = NvidiaSettings(module_options=OPTIONS, imex_nodes=("10.0.0.1",))
    there = state(BARE)
    choice = chosen(settings, devices=(*gpus(H100), NVSWITCH), found=there)
    paths = [item.path for item in files.items(settings, DEBIAN_12, choice, there)]
    assert len(paths) == len(set(paths))
    for hook in files.hooks(settings, DEBIAN_12):
        assert set(hook.paths) <= set(paths)


def test_what_is_not_wanted_is_taken_away() -> None:
    there = state(BARE)
    settings = OWN.model_copy(update={"persistence": False})
    choice = chosen(settings, devices=gpus(H100), found=there)
    absent = {
        item.path
        for item in files.items(settings, DEBIAN_12, choice, there)
        if isinstance(item, Absent)
    }
    assert {files.PERSISTENCED, files.FABRIC_MANAGER, files.OPTIONS} <= absent
