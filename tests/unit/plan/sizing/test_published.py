"""Figures that others published, and the tables of "7B needs 8 GB" held against them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flightline.catalog import Gpu
from flightline.plan.sizing import cache, weights
from flightline.plan.sizing.fit import GIB, Fit
from flightline.plan.sizing.formats import INT4, format_of
from flightline.plan.sizing.request import Assumptions
from flightline.plan.sizing.shape import ModelShape

MakeShape = Callable[..., ModelShape]
MakeFit = Callable[..., Fit]

GB = 1000**3


def stored(shape: ModelShape, dtype: str) -> int:
    found = format_of(dtype)
    assert found is not None
    return weights.of(shape, found).total


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [("llama-2-70b", 138.0), ("llama-2-7b", 13.5), ("llama-3.1-8b", 16.06)],
)
def test_weights_of_16_bits_are_the_published_ones(
    model: MakeShape, name: str, gigabytes: float
) -> None:
    assert stored(model(name), "fp16") / GB == pytest.approx(gigabytes, abs=0.06)


def test_weights_in_gib_are_what_nvidia_smi_counts(model: MakeShape) -> None:
    assert stored(model("llama-2-70b"), "fp16") / GIB == pytest.approx(128.5, abs=0.05)
    assert stored(model("llama-3.1-8b"), "bf16") / GIB == pytest.approx(14.96, abs=0.005)


def test_70b_in_4_bits_is_35_gb_bare_and_36_6_gb_as_a_checkpoint(model: MakeShape) -> None:
    shape = model("llama-2-70b")
    assert weights.bare(shape.parameters.total, 4) / GB == pytest.approx(34.5, abs=0.05)
    assert weights.bare(shape.parameters.total, 4.25) / GB == pytest.approx(36.6, abs=0.05)
    assert weights.of(shape, INT4).total / GB == pytest.approx(36.6, abs=0.05)


def test_gpt_oss_weighs_what_its_checkpoint_weighs(model: MakeShape) -> None:
    """Bytes of the tensors in openai/gpt-oss-120b's safetensors files."""
    assert weights.of(model("gpt-oss-120b"), model("gpt-oss-120b").format).total == 65_248_815_744


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("llama-3.1-70b", 327_680),
        ("opt-13b", 819_200),
        ("deepseek-v3", 70_272),
        ("llama-3.1-405b", 516_096),
        ("llama-2-7b", 524_288),
        ("llama-3.1-8b", 131_072),
    ],
)
def test_the_cache_of_a_token_is_the_published_one(model: MakeShape, name: str, token: int) -> None:
    shape = model(name)
    assert cache.per_token(shape) == token
    assert cache.of(shape, 16).growing == token


@pytest.mark.parametrize(
    ("name", "tokens", "size"),
    [
        ("llama-3.1-70b", 131_072, 42.95 * GB),
        ("opt-13b", 2048, 1.56 * GIB),
        ("llama-2-7b", 4096, 2.0 * GIB),
    ],
)
def test_the_cache_of_a_sequence_is_the_published_one(
    model: MakeShape, name: str, tokens: int, size: float
) -> None:
    assert cache.of(model(name), 16).sequence(tokens) == pytest.approx(size, rel=0.002)


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [
        # GB in 16, 8 and 4 bits, as such tables compute them
        ("qwen2.5-1.5b", (3.1, 1.5, 0.8)),
        ("qwen2.5-7b", (15.2, 7.6, 4.0)),
        ("qwen2.5-14b", (29.5, 14.8, 7.8)),
        ("qwen2.5-32b", (65.5, 32.8, 17.4)),
        ("llama-2-70b", (138, 69, 36.6)),
    ],
)
def test_the_weights_of_tables_are_bare_ones(
    model: MakeShape, name: str, gigabytes: tuple[float, float, float]
) -> None:
    total = model(name).parameters.total
    bare = [weights.bare(total, bits) / GB for bits in (16, 8, 4.25)]
    assert bare == pytest.approx(gigabytes, abs=0.06)


def fits(sized: MakeFit, name: str, gpu: Gpu, dtype: str, gpus: int = 1) -> bool:
    return sized(name, gpu, gpus, dtype=dtype, context=2048).fits


def test_1_5b_in_16_bits_needs_more_than_4_gib_with_the_usual_overhead(
    sized: MakeFit, card: Callable[[float], Gpu]
) -> None:
    """Weights of 2.9 GiB fit; with 2.5 GiB of overhead beside them they need 6."""
    assert not fits(sized, "qwen2.5-1.5b", card(4), "bf16")
    assert fits(sized, "qwen2.5-1.5b", card(8), "bf16")


LEAN = Assumptions(0.95, driver_gib=0.4, context_gib=0.5, activations_gib=0.5, graphs_gib=0)
"""One small GPU, eager execution, short steps, no NCCL."""


def test_7b_needs_8_gb_is_true_in_4_bits_alone_and_of_a_lean_engine(
    sized: MakeFit, card: Callable[[float], Gpu]
) -> None:
    """The checkpoint has 5.6 GB, not the bare 4.0: embeddings and output stay in 16 bits."""
    assert not fits(sized, "qwen2.5-7b", card(8), "bf16")
    assert not sized("qwen2.5-7b", card(8), dtype="int8", context=2048, assumptions=LEAN).fits
    assert sized("qwen2.5-7b", card(8), dtype="int4", context=2048, assumptions=LEAN).fits
    assert not fits(sized, "qwen2.5-7b", card(8), "int4")
    assert fits(sized, "qwen2.5-7b", card(10), "int4")


def test_14b_needs_16_gb_is_true_in_4_bits_alone(
    sized: MakeFit, card: Callable[[float], Gpu]
) -> None:
    assert not fits(sized, "qwen2.5-14b", card(16), "bf16")
    assert not fits(sized, "qwen2.5-14b", card(16), "int8")
    assert fits(sized, "qwen2.5-14b", card(16), "int4")


def test_32b_needs_32_gb_is_true_in_4_bits_alone(
    sized: MakeFit, card: Callable[[float], Gpu]
) -> None:
    assert not fits(sized, "qwen2.5-32b", card(32), "bf16")
    assert not fits(sized, "qwen2.5-32b", card(32), "int8")
    assert fits(sized, "qwen2.5-32b", card(32), "int4")


def test_70b_in_16_bits_on_one_a100_is_impossible(sized: MakeFit) -> None:
    fit = sized("llama-2-70b", "a100_sxm_80", 1)
    assert not fit.fits
    assert "131.0 GiB for weights and overhead alone" in fit.problems[0]


def test_70b_in_16_bits_on_two_a100_fits_barely(sized: MakeFit) -> None:
    """Facts: 145.7 - 128.5 - 5 GiB leave about 12 GiB, or 39 thousand tokens in all."""
    fit = sized("llama-2-70b", "a100_sxm_80", 2)
    assert fit.fits
    assert 2 * fit.room / GIB == pytest.approx(12, abs=0.5)
    assert fit.room // fit.cache.growing == pytest.approx(39_000, rel=0.05)


def test_70b_in_16_bits_misses_one_h200_by_a_hair(sized: MakeFit) -> None:
    fit = sized("llama-2-70b", "h200_sxm", 1)
    assert not fit.fits
    assert -4 * GIB < fit.room < 0


def test_70b_in_4_bits_fits_one_80_gb_card_well(sized: MakeFit) -> None:
    assert sized("llama-2-70b", "a100_sxm_80", 1, dtype="int4").concurrency > 20
    assert 0 < sized("llama-2-70b", "a100_sxm_80", 1, dtype="int8").concurrency < 8


LOGS = [
    # as vLLM logged it: utilization, "Model loading took", "Available KV cache memory", GiB.
    # blog.huikang.dev/2025/12/28/vllm-logs.html, vLLM 0.11.2
    ("gpt-oss-120b", "h100_sxm_80", 0.96, 65.97, 8.99),
    # myoceane.fr/index.php/ai-vllm-a100-gemma-4, vLLM 0.19.0
    ("gpt-oss-20b", "a100_sxm_80", 0.65, 13.72, 36.56),
    # Llama-3.1-8B-Instruct on a2-highgpu-1g, 163,168 tokens, and on an H100 NVL, 545,456 tokens;
    # the default of that release was 0.9
    ("llama-3.1-8b", "a100_sxm_40", 0.9, 14.99, 19.92),
    ("llama-3.1-8b", "h100_nvl", 0.9, 14.99, 66.58),
]


@pytest.mark.parametrize(("name", "gpu", "utilization", "weights_gib", "room_gib"), LOGS)
def test_engines_found_a_little_more_room_than_was_promised(
    sized: MakeFit, *, name: str, gpu: str, utilization: float, weights_gib: float, room_gib: float
) -> None:
    fit = sized(name, gpu, assumptions=Assumptions(utilization))
    assert fit.weights_on_gpu / GIB == pytest.approx(weights_gib, rel=0.01)
    assert 0 <= room_gib - fit.room / GIB <= 3


def test_a_small_model_s_log_is_reproduced(model: MakeShape) -> None:
    """vLLM, Qwen2.5-1.5B: loading took 2.89 GiB; 0.56 GiB of cache are 20,992 tokens."""
    shape = model("qwen2.5-1.5b")
    assert weights.of(shape, shape.format).total / GIB == pytest.approx(2.89, rel=0.01)
    assert cache.of(shape, 16).sequence(20_992) / GIB == pytest.approx(0.56, rel=0.01)


def test_gpt_oss_fits_the_cards_it_is_published_for(sized: MakeFit) -> None:
    """openai/gpt-oss README: the large one fits a single 80 GB GPU, the small one 16 GB."""
    assert sized("gpt-oss-120b", "h100_sxm_80", 1, context=32_768).fits
