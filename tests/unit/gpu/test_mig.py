"""`nvidia-smi -L`: which MIG devices a GPU has, by the names that operators declare."""

from __future__ import annotations

import pytest

from flightline.gpu.mig import parse_mig

LISTED = """\
GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5269b708)
  MIG 3g.40gb     Device  0: (UUID: MIG-1)
  MIG 1g.10gb+me  Device  1: (UUID: MIG-2)
GPU 1: NVIDIA A100-SXM4-80GB (UUID: GPU-a7605225)
"""


def test_profiles_are_listed_by_gpu_and_sorted() -> None:
    assert parse_mig(LISTED) == {0: ("1g.10gb+me", "3g.40gb"), 1: ()}


@pytest.mark.parametrize("text", ["", "NVIDIA-SMI has failed", "  MIG 1g.10gb Device 0: (UUID)"])
def test_an_answer_without_a_gpu_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="lists no GPU"):
        parse_mig(text)
