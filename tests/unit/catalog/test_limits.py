"""Floors outside 0.3 to 1.05 of the specification are taken for slips."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline import catalog
from flightline.catalog import limits
from flightline.catalog.model import Figure, Gpu

H200 = "h200_sxm"


def with_floor(name: str, value: float, unit: str = "GB/s", gpu: str = H200) -> Gpu:
    figure = Figure(value=value, unit=unit, source="test", date=datetime.date(2026, 11, 20))
    return catalog.gpu(gpu).model_copy(update={"floors": {name: figure}})


def said(gpu: Gpu) -> str:
    return "; ".join(limits.problems(gpu))


def test_megabytes_written_for_gigabytes_are_caught() -> None:
    # DCGM's floor for the H200: 2333 MB/s of 4.8 TB/s, read 2026-11-20
    assert "floors.memory_bandwidth" in said(with_floor("memory_bandwidth", 2.333))
    assert "expected 0.3 to 1.05" in said(with_floor("memory_bandwidth", 2_333_000))


@given(share=st.floats(0.001, 3.0))
def test_a_floor_passes_exactly_within_the_bounds(share: float) -> None:
    problems = said(with_floor("memory_bandwidth", 4800 * share))
    inside = 0.3 <= share <= 1.05
    near = min(abs(share - 0.3), abs(share - 1.05)) < 1e-9
    assert near or inside == (not problems)


def test_an_unknown_unit_is_refused() -> None:
    assert "the unit is GB, expected GB/s" in said(with_floor("h2d", 48, "GB"))


def test_an_unknown_metric_is_refused() -> None:
    assert "there is no such metric" in said(with_floor("memory_bandwith", 48))


def test_a_metric_without_specification_cannot_have_a_floor() -> None:
    gpu = with_floor("p2p", 30, gpu="l40s")
    assert "specifies nothing" in said(gpu)


def test_in_switch_reduction_may_measure_above_the_links() -> None:
    gpu = catalog.gpu(H200)
    assert gpu.achieved["all_reduce_8"].value > 18 * 25  # the links' rate
    assert not said(gpu)


@pytest.mark.parametrize(
    ("gpu", "metric", "expected"),
    [
        ("h100_sxm_80", "p2p", 450.0),  # 18 links of 25 GB/s
        ("h100_sxm_80", "h2d", 63.0),  # PCIe 5.0 x16, ml-engineering network/README.md
        ("a100_sxm_80", "all_reduce_8", 300.0),
        ("b200", "p2p", 900.0),
        ("l40s", "memory_bandwidth", 864.0),
        ("a100_pcie_80", "all_reduce_2", 300.0),
    ],
)
def test_specifications_are_the_published_ones(gpu: str, metric: str, expected: float) -> None:
    assert limits.specification(catalog.gpu(gpu), metric) == pytest.approx(expected)


def test_more_than_two_bridged_cards_meet_over_pcie() -> None:
    gpu = catalog.gpu("a100_pcie_80")
    assert limits.specification(gpu, "all_reduce_4") == limits.specification(gpu, "h2d")


def test_bf16_is_not_compared_on_a_gpu_without_it() -> None:
    gpu: Any = catalog.gpu("t4")
    assert limits.specification(gpu, "bf16") is None
