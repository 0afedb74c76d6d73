"""Every mistake of a declaration is refused in one sentence, and what works is not."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from flightline import catalog
from flightline.errors import SettingsError
from roles.nvidia.settings import NvidiaSettings

TODAY = datetime.date(2026, 11, 21)


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        ({"gpu_model": "b200", "branch": 535}, "driver branch 535 does not know the B200"),
        ({"gpu_model": "b200", "version": "550.54.15"}, "550 does not know the B200"),
        ({"gpu_model": "b200", "kernel_modules": "proprietary"}, "cannot drive the B200"),
        ({"gpu_model": "v100_sxm2_32", "kernel_modules": "open"}, "cannot drive the V100"),
        ({"gpu_model": "v100_sxm2_32", "branch": 590}, "580 is its last: declare branch=580"),
        (
            {"version": "580.95.05", "fabric_manager_version": "580.105.08"},
            "fabric_manager_version 580.105.08 is not the driver's 580.95.05",
        ),
        ({"gpu_model": "h100_sxm_80", "fabric_manager": "off"}, "has NVSwitches"),
        ({"gpu_model": "l40s", "mig": ("1g.10gb",)}, "the L40S has no MIG"),
        ({"gpu_model": "a100_sxm_80", "dtypes": ("fp8",)}, "dtypes has fp8"),
        ({"gpu_model": "h100_sxm_80", "dtypes": ("bf16", "fp4")}, "dtypes has fp4"),
        ({"gpu_model": "v100_sxm2_32", "dtypes": ("bf16",)}, "it needs compute capability 8.0"),
        ({"branch": 470, "image_cuda": "12.8"}, "image_cuda 12.8"),
        ({"branch": 535, "image_cuda": "13.0"}, "above what driver 535 runs by itself"),
        (
            {
                "gpu_model": "rtx_4090",
                "branch": 550,
                "image_cuda": "13.0",
                "image_has_cuda_compat": True,
            },
            "has no forward compatibility",
        ),
        ({"version": "580.10", "branch": 570}, "version 580.10 is not of branch 570"),
        ({"branch": 999}, "driver branch 999 is not in the catalog"),
        ({"gpu_model": "h100"}, "h100 may be h100_sxm_80"),
        ({"gpu_model": "voodoo2"}, "the catalog has no GPU 'voodoo2'"),
    ],
)
def test_a_mistake_is_refused_where_it_is_declared(declared: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        NvidiaSettings(**declared)
    assert sentence in refused.value.message
    assert refused.value.message.endswith(".")
    assert f"{__file__}:" in refused.value.message


@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"gpu_model": "b200", "branch": 580, "kernel_modules": "open", "dtypes": ("fp4", "fp8")},
        {"gpu_model": "v100_sxm2_32", "branch": 535, "kernel_modules": "proprietary"},
        {"gpu_model": "a100_sxm_80", "mig": ("3g.40gb", "3g.40gb")},
        {"gpu_model": "l40s", "mig": (), "dtypes": ("fp8",), "fabric_manager": "off"},
        {"branch": 580, "image_cuda": "13.0"},
        {"branch": 535, "image_cuda": "12.8"},  # minor version compatibility
        {
            "gpu_model": "h100_sxm_80",
            "branch": 535,
            "image_cuda": "13.0",
            "image_has_cuda_compat": True,
        },
        {"version": "580.105.08", "fabric_manager_version": "580.105.08"},
    ],
)
def test_what_works_is_accepted(declared: dict[str, Any]) -> None:
    NvidiaSettings(**declared)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        NvidiaSettings(gpu_model="l40s", mig=("1g.10gb",), dtypes=("fp4",), branch=470)
    for word in ("MIG", "fp4", "470"):
        assert word in refused.value.message


def test_a_branch_past_its_end_of_life_warns_with_the_date() -> None:
    (warning,) = NvidiaSettings(branch=535).warnings(TODAY)
    known = catalog.branch(535)
    assert known and str(known.end_of_life) in warning
    assert "plan a move to" in warning


def test_a_branch_in_its_life_warns_of_nothing() -> None:
    assert NvidiaSettings(branch=535).warnings(datetime.date(2024, 1, 1)) == ()
    assert NvidiaSettings().warnings(TODAY) == ()


@pytest.mark.parametrize("gpu", catalog.gpus(), ids=lambda gpu: str(gpu.id))
def test_every_gpu_can_be_declared_with_its_own_first_branch_and_flavour(
    gpu: catalog.Gpu,
) -> None:
    NvidiaSettings(gpu_model=gpu.id)
    known = [
        each
        for each in catalog.branches()
        if each.number >= gpu.first_branch and gpu.kernel_modules[0] in each.flavours
    ]
    NvidiaSettings(
        gpu_model=gpu.id,
        branch=min(each.number for each in known),
        kernel_modules=gpu.kernel_modules[0],
    )
