"""Experts in mxfp4 are divided by whole blocks, whatever the number of GPUs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from flightline.plan.sizing.explain import lines
from flightline.plan.sizing.fit import Fit

MakeFit = Callable[..., Fit]


@pytest.mark.parametrize("name", ["gpt-oss-20b", "gpt-oss-120b"])
@pytest.mark.parametrize(("degree", "part"), [(1, 2880), (2, 1440), (4, 736), (8, 384)])
def test_experts_in_mxfp4_are_divided_by_whole_blocks(
    sized: MakeFit, name: str, degree: int, part: int
) -> None:
    """vLLM, gpt_oss.py: cdiv(2880 // 32, degree) * 32 of each expert's width."""
    fit = sized(name, "h100_sxm_80", degree, tensor_parallel=degree)
    assert fit.fits, fit.problems
    assert fit.weights.expert_share(degree) == part / 2880
    even = replace(fit.weights, expert_width=0).on_gpu(fit.placement)
    more = fit.request.shape.parameters.experts * 4.25 / 8 * fit.weights.padding
    expected = more * (part / 2880 - 1 / degree)
    assert fit.weights_on_gpu - even == pytest.approx(expected, abs=2)


def test_experts_are_not_divided_until_nothing_is_left(sized: MakeFit) -> None:
    assert sized("gpt-oss-120b", "h100_sxm_80", 8).degrees == (1, 2, 4, 8)
    fit = sized("gpt-oss-120b", "h100_sxm_80", 16, tensor_parallel=16)
    assert "experts 2880 wide leave nothing to the last of 16 GPUs" in fit.problems[0]


def test_the_larger_part_of_the_experts_is_in_the_arithmetic(sized: MakeFit) -> None:
    def told(gpus: int) -> str:
        fit = sized("gpt-oss-120b", "h100_sxm_80", gpus, tensor_parallel=gpus)
        return next(each for each in lines(fit) if each.what == "weights on each GPU").arithmetic

    assert told(8) == "tensor parallel 8, 0.1333 of the experts, experts x 1.1"
    assert told(2) == "tensor parallel 2, experts x 1.1"
