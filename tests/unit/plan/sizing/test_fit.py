from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flightline.catalog import Gpu
from flightline.plan.sizing import cache
from flightline.plan.sizing.fit import Fit, judged
from flightline.plan.sizing.placement import spread
from flightline.plan.sizing.remedies import remedies
from flightline.plan.sizing.shape import ModelShape

MakeShape = Callable[..., ModelShape]
MakeFit = Callable[..., Fit]


def test_a_window_s_cache_stops_growing(model: MakeShape) -> None:
    kept = cache.of(model("mistral-7b"), 16)
    assert kept.sequence(4096) == kept.sequence(32_768) == 4096 * 131_072


def test_global_layers_grow_beyond_the_window_of_the_others(model: MakeShape) -> None:
    kept = cache.of(model("gemma-3-27b"), 16)
    grown = kept.sequence(32_768) - kept.sequence(16_384)
    assert grown == 10 * 2 * 16 * 128 * 2 * 16_384  # 10 of 62 layers are global


def test_layer_types_decide_over_the_architecture_s_habit(model: MakeShape) -> None:
    listed = model("gpt-oss-20b", layer_types=["full_attention"] * 24)
    assert (listed.layers.full, listed.layers.sliding) == (24, 0)


def test_qwen2_slides_only_when_told_to(model: MakeShape) -> None:
    assert model("qwen2.5-7b").layers.sliding == 0
    told = model("qwen2.5-7b", use_sliding_window=True, max_window_layers=20)
    assert (told.layers.full, told.layers.sliding) == (20, 8)


def test_recurrent_layers_take_the_same_whatever_the_context(model: MakeShape) -> None:
    shape = model("qwen3-next-80b-a3b")
    kept = cache.of(shape, 16)
    # 36 layers: 32 heads of 128 x 128, and 3 steps of 8192 channels, 4 bytes each
    assert kept.constant == 36 * (32 * 128 * 128 + 3 * 8192) * 4
    assert kept.sequence(1000) - kept.sequence(0) == 1000 * 12 * 2 * 2 * 256 * 2


def test_tensor_parallel_divides_the_cache_up_to_the_kv_heads(model: MakeShape) -> None:
    shape = model("llama-3.1-70b")
    assert [cache.of(shape, 16, spread(shape, degree, 1)).growing for degree in (1, 8, 16)] == [
        327_680,
        40_960,
        40_960,
    ]


def test_copies_of_the_cache_are_said(sized: MakeFit) -> None:
    fit = sized("deepseek-v3", "h200_sxm", 8)
    assert fit.cache.growing == 70_272
    assert "copied, not divided, over 8 of 8 GPUs (MLA" in fit.warnings[0]
    few = sized("qwen3-30b-a3b", "h100_sxm_80", 8)
    assert "over 2 of 8 GPUs (there are 4 KV heads)" in few.warnings[0]


def test_degrees_are_those_that_divide_heads_and_widths(sized: MakeFit) -> None:
    assert sized("llama-3.1-70b", "h100_sxm_80", 8).degrees == (1, 2, 4, 8)
    # 28 heads: 7 divides them, but not the 4 KV heads
    assert sized("qwen2.5-7b", "h100_sxm_80", 8).degrees == (1, 2, 4)


def test_groups_that_share_a_scale_stay_together(sized: MakeFit) -> None:
    """Qwen2.5-72B: 29568 / 2 is no multiple of 128; Qwen padded its own GPTQ checkpoints."""
    assert sized("qwen2.5-72b", "h100_sxm_80", 8, dtype="int4").degrees == (1,)
    assert sized("qwen2.5-72b", "h100_sxm_80", 8, dtype="bf16").degrees == (1, 2, 4, 8)


def test_gpus_that_no_degree_uses_become_stages(sized: MakeFit) -> None:
    placed = sized("qwen2.5-7b", "h100_sxm_80", 8).placement
    assert (placed.tensor_parallel, placed.pipeline_parallel) == (4, 2)


def test_nodes_become_stages(sized: MakeFit) -> None:
    fit = sized("llama-3.1-405b", "h100_sxm_80", 8, nodes=2)
    placed = fit.placement
    assert (placed.tensor_parallel, placed.pipeline_parallel) == (8, 2)
    assert fit.fits
    assert not sized("llama-3.1-405b", "h100_sxm_80", 8).fits


def test_a_degree_that_does_not_divide_is_refused_with_the_reason(sized: MakeFit) -> None:
    fit = sized("llama-3.1-8b", "h100_sxm_80", 3, tensor_parallel=3)
    assert "tensor parallel 3: the 32 attention heads cannot be divided by 3" in fit.problems


def test_more_degrees_than_gpus_are_refused(sized: MakeFit) -> None:
    fit = sized("llama-3.1-8b", "h100_sxm_80", 2, tensor_parallel=4)
    assert "needs 4 GPUs, and there are 2" in fit.problems[0]


@pytest.mark.parametrize(
    ("gpu", "dtype", "runs"),
    [
        ("a100_sxm_80", "fp8", False),
        ("l40s", "fp8", True),
        ("h100_sxm_80", "fp4", False),
        ("b200", "fp4", True),
        ("v100_sxm2_32", "bf16", False),
        ("v100_sxm2_32", "fp16", True),
        ("t4", "int4", True),
    ],
)
def test_a_gpu_computes_in_what_its_hardware_has(
    sized: MakeFit, gpu: str, dtype: str, runs: bool
) -> None:
    fit = sized("qwen2.5-1.5b", gpu, dtype=dtype, context=1024, is_stored_only=False)
    assert fit.fits is runs
    assert runs or "does not compute in" in fit.problems[0]


def test_a_checkpoint_s_format_may_be_stored_only_and_that_is_said(sized: MakeFit) -> None:
    fit = sized("gpt-oss-20b", "h100_sxm_80")
    assert fit.fits
    assert fit.warnings[0].startswith("weights stay in mxfp4 and are computed in 16 bits")


def test_an_fp8_cache_halves_the_cache_and_needs_the_hardware(sized: MakeFit) -> None:
    half = sized("llama-3.1-8b", "h100_sxm_80", kv="fp8")
    assert half.cache.growing * 2 == sized("llama-3.1-8b", "h100_sxm_80").cache.growing
    assert "no fp8 KV cache, which needs 8.9" in sized("llama-3.1-8b", "a30", kv="fp8").problems[0]
    assert not sized("llama-3.1-8b", "a30", kv="fp8_e5m2").problems


def test_a_context_beyond_the_model_s_is_refused(sized: MakeFit) -> None:
    fit = sized("llama-2-7b", "h100_sxm_80", context=8192)
    assert fit.problems == ("the model was made for 4,096 tokens, and 8,192 are asked for",)
    assert [each.kind for each in remedies(fit)] == ["context", "combined"]


@pytest.mark.parametrize(
    ("scaling", "longest"),
    [
        # as Qwen's model cards tell to add it for long texts
        (
            {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32_768},
            131_072,
        ),
        ({"rope_type": "linear", "factor": 2}, 65_536),
        ({"rope_type": "llama3", "factor": 8.0}, 32_768),
        ({"rope_type": "mrope"}, 32_768),
        (None, 32_768),
    ],
)
def test_stretched_positions_are_the_model_s_too(
    model: MakeShape, scaling: dict[str, Any] | None, longest: int
) -> None:
    assert model("qwen2.5-7b", rope_scaling=scaling).longest_context == longest


def test_a_checkpoint_sized_as_another_one_is_said(sized: MakeFit) -> None:
    fit = sized("deepseek-v3", "h200_sxm", 8, dtype="bf16")
    assert "the checkpoint is stored in fp8; it is sized as if in bf16" in fit.warnings


def test_the_largest_context_fits_and_a_block_more_does_not(
    sized: MakeFit, card: Callable[[float], Gpu]
) -> None:
    most = sized("llama-3.1-8b", card(24)).largest_context
    assert 0 < most < 131_072 and most % 16 == 0
    assert sized("llama-3.1-8b", card(24), context=most).fits
    assert not sized("llama-3.1-8b", card(24), context=most + 16).fits


def test_a_model_of_a_few_tokens_has_them_all_or_none(
    sized: MakeFit, card: Callable[[float], Gpu]
) -> None:
    tiny = {"max_position_embeddings": 10}
    assert sized("llama-3.1-8b", card(24), context=10, config=tiny).largest_context == 10
    assert sized("llama-3.1-8b", card(16), context=10, config=tiny).largest_context == 0


def test_what_a_step_reads_is_kept_beyond_the_window_until_it_is_done(sized: MakeFit) -> None:
    """vLLM, SlidingWindowSpec: window - 1 + max_num_batched_tokens, for the sequence being read."""
    fit = sized("mistral-7b", "h100_sxm_80", context=32_768)
    token = 32 * 2 * 8 * 128 * 2
    assert fit.cache.needed(32_768, 1) == (4096 + 8192) * token
    assert fit.cache.needed(32_768, 3) == (3 * 4096 + 8192) * token
    assert fit.cache.needed(4096, 1) == 4096 * token


def test_as_many_sequences_fit_as_are_promised(sized: MakeFit) -> None:
    most = sized("llama-3.1-8b", "l40s", context=8192).concurrency
    assert sized("llama-3.1-8b", "l40s", context=8192, concurrency=most).fits
    assert not sized("llama-3.1-8b", "l40s", context=8192, concurrency=most + 1).fits


CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({"name": "llama-2-70b", "gpu": "a100_sxm_80"}, {"weights", "gpus"}),
    ({"name": "llama-3.1-8b", "gpu": "l4", "context": 24_000}, {"context", "cache", "gpus"}),
    ({"name": "llama-3.1-8b", "gpu": "l4", "concurrency": 64}, {"concurrency", "context"}),
    ({"name": "qwen2.5-7b", "gpu": "v100_sxm2_32"}, {"weights"}),
    ({"name": "llama-3.1-405b", "gpu": "l4"}, {"gpus"}),
    ({"name": "llama-3.1-8b", "gpu": "h100_sxm_80", "tensor_parallel": 3}, {"parallel"}),
]


@pytest.mark.parametrize(("asked", "kinds"), CASES)
def test_what_would_fit_is_said_and_does_fit(
    sized: MakeFit, asked: dict[str, Any], kinds: set[str]
) -> None:
    fit = sized(**asked)
    found = remedies(fit)
    assert not fit.fits
    assert kinds <= {each.kind for each in found}
    assert all(judged(each.request).fits for each in found)


def test_nothing_is_remedied_where_it_fits(sized: MakeFit) -> None:
    assert remedies(sized("llama-3.1-8b", "h100_sxm_80")) == ()
