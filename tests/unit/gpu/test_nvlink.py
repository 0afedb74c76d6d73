"""`nvidia-smi nvlink --status` of real machines, and of none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.gpu.nvlink import parse_nvlink

CAPTURE = Path(__file__).parents[4] / "shared/samples/nvidia-smi-nvlink-s.a100x8.gpud.txt"

MIXED = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1)
\t Link 0: 26.562 GB/s
\t Link 1: <inactive>
\t Link 2: inActive
GPU 1: NVIDIA L40S (UUID: GPU-2)
GPU 2: NVIDIA A30 (UUID: GPU-3)
Unable to retrieve NVLink information as all links are inActive
"""


def test_links_that_are_not_up_have_no_speed() -> None:
    first, *others = parse_nvlink(MIXED)
    assert first.speeds_gbps == (26.562, None, None)
    assert (first.active, first.inactive) == ((26.562,), (1, 2))
    assert [each.speeds_gbps for each in others] == [(), ()]


def test_a_real_capture_of_8_a100_has_12_links_of_25_each() -> None:
    if not CAPTURE.is_file():
        pytest.skip(f"{CAPTURE} is not there: captures are not part of the project")
    found = parse_nvlink(CAPTURE.read_text())
    assert [each.index for each in found] == list(range(8))
    assert {each.speeds_gbps for each in found} == {(25.0,) * 12}


def test_an_answer_without_a_gpu_is_none() -> None:
    with pytest.raises(ValueError, match="lists no GPU"):
        parse_nvlink("NVIDIA-SMI has failed")


@given(st.text())
def test_no_text_makes_it_fall_over(text: str) -> None:
    try:
        parse_nvlink(text)
    except ValueError as error:
        assert "lists no GPU" in str(error)
