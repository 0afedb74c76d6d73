from __future__ import annotations

import pytest

from flightline import catalog
from flightline.errors import FlightlineError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h200_sxm", "h200_sxm"),
        ("h200", "h200_sxm"),
        ("H200 NVL", "h200_nvl"),
        ("2335", "h200_sxm"),
        ("10de:2335", "h200_sxm"),
        ("20B2", "a100_sxm_80"),
        ("NVIDIA H100 80GB HBM3", "h100_sxm_80"),
        ("nvidia l40s", "l40s"),
        ("L40", "l40"),
        ("a10", "a10"),
        ("5090", "rtx_5090"),
        ("rtx 4090", "rtx_4090"),
        ("Tesla T4", "t4"),
        ("gb200", "gb200"),
        ("a3", "a30"),
    ],
)
def test_a_gpu_is_found_by_what_people_type(text: str, expected: str) -> None:
    assert catalog.gpu(text).id == expected


@pytest.mark.parametrize("gpu", catalog.gpus(), ids=lambda gpu: gpu.id)
def test_every_gpu_is_found_by_all_its_names(gpu: catalog.Gpu) -> None:
    for name in (gpu.id, gpu.name, *gpu.device_ids, *gpu.product_names):
        if name != "A100-SXM4-80GB":
            assert catalog.gpu(name) == gpu, name


def test_an_ambiguous_name_lists_the_candidates() -> None:
    with pytest.raises(FlightlineError) as caught:
        catalog.gpu("H100")
    assert caught.value.message == (
        "H100 may be h100_sxm_80, h100_pcie_80 or h100_nvl; name one of them."
    )


def test_a_typing_mistake_gets_near_names() -> None:
    with pytest.raises(FlightlineError, match=r"did you mean .*h200_sxm"):
        catalog.gpu("h20_sxn")


@pytest.mark.parametrize("text", ["", "  ", "nvidia", "voodoo"])
def test_no_name_at_all_is_a_sentence(text: str) -> None:
    with pytest.raises(FlightlineError) as caught:
        catalog.gpu(text)
    assert caught.value.exit_code == 2
