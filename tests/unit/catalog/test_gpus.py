"""What must hold for every GPU of the catalog."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from flightline import catalog
from flightline.catalog.model import Figure, Gpu

GPUS = catalog.gpus()
every_gpu = pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.id)

# pciutils/pciids pci.ids and the table of NVIDIA/open-gpu-kernel-modules' README, read 2026-11-21
DEVICES = {
    "1db1": "v100_sxm2_16",
    "1db5": "v100_sxm2_32",
    "1db4": "v100_pcie_16",
    "1db6": "v100_pcie_32",
    "1eb8": "t4",
    "20b0": "a100_sxm_40",
    "20b2": "a100_sxm_80",
    "20b5": "a100_pcie_80",
    "20b7": "a30",
    "20f1": "a100_pcie_40",
    "2204": "rtx_3090",
    "2230": "rtx_a6000",
    "2235": "a40",
    "2236": "a10",
    "2321": "h100_nvl",
    "2324": "h800_sxm_80",
    "2330": "h100_sxm_80",
    "2331": "h100_pcie_80",
    "2335": "h200_sxm",
    "233b": "h200_nvl",
    "2342": "gh200_96",
    "2348": "gh200_144",
    "2684": "rtx_4090",
    "26b1": "rtx_6000_ada",
    "26b5": "l40",
    "26b9": "l40s",
    "27b8": "l4",
    "2901": "b200",
    "2941": "gb200",
    "2b85": "rtx_5090",
    "2bb1": "rtx_pro_6000_workstation",
    "2bb5": "rtx_pro_6000_server",
    "3182": "b300",
    "31c2": "gb300",
}


def test_the_published_device_ids_name_the_right_gpus() -> None:
    found = {device: catalog.gpu_by_device(device) for device in DEVICES}
    assert {device: gpu.id for device, gpu in found.items() if gpu} == DEVICES


def test_every_device_id_belongs_to_one_gpu() -> None:
    times = Counter(device for gpu in GPUS for device in gpu.device_ids)
    assert max(times.values()) == 1
    assert all(re.fullmatch("[0-9a-f]{4}", device) for device in times)


def test_ids_are_unique_and_typeable() -> None:
    ids = [gpu.id for gpu in GPUS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[a-z0-9_]+", each) for each in ids)


def test_a_device_id_is_found_in_capitals_too() -> None:
    assert catalog.gpu_by_device("20B2") == catalog.gpu("a100_sxm_80")


def test_an_unknown_device_id_is_nobody() -> None:
    assert catalog.gpu_by_device("ffff") is None


def test_a_gpu_without_its_device_id_is_found_by_the_drivers_name() -> None:
    assert catalog.gpu_by_product("NVIDIA A10G") == catalog.gpu("a10g")
    assert catalog.gpu_by_product("NVIDIA Graphics Device") is None


@every_gpu
def test_a_gpu_survives_being_written_and_read(gpu: Gpu) -> None:
    assert Gpu.model_validate_json(gpu.model_dump_json()) == gpu


@every_gpu
def test_every_floor_is_below_the_specification(gpu: Gpu) -> None:
    for name, floor in gpu.floors.items():
        specified = catalog.specification(gpu, name)
        # 460 of 450 GB/s: NVLink SHARP, Azure's floor for eight H100
        assert specified is not None
        assert floor.value < specified * (1.03 if name == "all_reduce_8" else 1)


@every_gpu
def test_every_floor_is_below_what_was_achieved(gpu: Gpu) -> None:
    for name in gpu.floors.keys() & gpu.achieved.keys():
        if (gpu.id, name) != ("h100_sxm_80", "d2h"):
            assert gpu.floors[name].value < gpu.achieved[name].value, name


@every_gpu
def test_every_figure_says_where_it_is_from(gpu: Gpu) -> None:
    figures = [value for _, value in gpu if isinstance(value, Figure)]
    for figure in (*figures, *gpu.achieved.values(), *gpu.floors.values()):
        assert len(figure.source) > 10  # a sentence, not the short name of one
        assert figure.value > 0


@every_gpu
def test_number_formats_follow_the_compute_capability(gpu: Gpu) -> None:
    capability = tuple(map(int, gpu.compute_capability.split(".")))
    assert gpu.has_fp8 == (capability >= (8, 9))  # CUDA C++ programming guide
    assert gpu.has_fp4 == (capability >= (10, 0))
    assert gpu.bf16 is None or capability >= (8, 0)


@every_gpu
def test_kernel_modules_follow_the_architecture(gpu: Gpu) -> None:
    if gpu.architecture == "volta":
        assert gpu.kernel_modules == ("proprietary",)
    elif gpu.architecture == "blackwell" or gpu.id.startswith("gh200"):
        assert gpu.kernel_modules == ("open",)
    else:
        assert gpu.kernel_modules[0] == "open"


@every_gpu
def test_only_volta_has_a_last_branch(gpu: Gpu) -> None:
    assert gpu.last_branch == (580 if gpu.architecture == "volta" else None)


@every_gpu
def test_links_have_a_rate_and_switches_have_links(gpu: Gpu) -> None:
    assert bool(gpu.nvlink_links) == (gpu.nvlink_rate is not None)
    assert gpu.nvswitch == "none" or gpu.nvlink_links


@every_gpu
def test_the_first_branch_is_one_of_the_catalog(gpu: Gpu) -> None:
    assert catalog.branch(gpu.first_branch)


@pytest.mark.parametrize(
    ("dtype", "gpu", "expected"),
    [
        ("fp8", "a100_sxm_80", False),
        ("fp8", "l40s", True),
        ("fp4", "h200_sxm", False),
        ("FP4", "b200", True),
        ("bf16", "v100_sxm2_16", False),
        ("bf16", "a10", True),
        ("fp16", "v100_sxm2_16", True),
    ],
)
def test_a_gpu_computes_in_its_own_formats(dtype: str, gpu: str, expected: bool) -> None:
    assert catalog.has_dtype(catalog.gpu(gpu), dtype) is expected
