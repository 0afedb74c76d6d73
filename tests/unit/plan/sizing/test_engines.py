from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from flightline import catalog
from flightline.plan.sizing import engines
from flightline.plan.sizing.beside import side_by_side
from flightline.plan.sizing.fit import GIB
from flightline.plan.sizing.shape import ModelShape

MakeShape = Callable[..., ModelShape]
H100 = catalog.gpu("h100_sxm_80")


def engine(**fields: Any) -> Any:
    """Return an engine as declared; what is not named is None."""
    usual = dict.fromkeys(
        ("tensor_parallel", "pipeline_parallel", "context_tokens", "concurrency_max", "dtype",
         "quantization", "kv_cache_dtype", "memory_utilization"),
    )  # fmt: skip
    return SimpleNamespace(
        **{**usual, "name": "chat", "engine": "vllm", "gpus": (0,), "nodes": (), **fields}
    )


def judged(shape: ModelShape, gpu: Any = H100, **fields: Any) -> engines.Judgement:
    return engines.judged(engine(**fields), shape, gpu)


def test_all_gpus_share_every_layer_unless_told_otherwise(model: MakeShape) -> None:
    fit = judged(model("llama-3.1-70b"), gpus=(0, 1, 2, 3), context_tokens=8192).fit
    assert fit is not None
    assert (fit.placement.tensor_parallel, fit.placement.pipeline_parallel) == (4, 1)


def test_gpus_that_do_not_divide_the_heads_are_refused(model: MakeShape) -> None:
    (found,) = engines.problems(engine(gpus=(0, 1, 2)), model("llama-3.1-8b"), H100)
    assert "the 32 attention heads cannot be divided by 3" in found


def test_an_engine_over_nodes_has_the_gpus_of_all(model: MakeShape) -> None:
    spread = {"gpus": tuple(range(8)), "nodes": ("a", "b"), "context_tokens": 8192}
    whole = judged(model("llama-3.1-405b"), **spread, pipeline_parallel=2)
    assert whole.problems == ()
    assert whole.fit is not None and whole.fit.placement.gpus == 16


def test_a_checkpoint_that_is_not_quantised_is_not_loaded_as_if(model: MakeShape) -> None:
    (found,) = judged(model("llama-3.1-8b"), quantization="awq_marlin").problems
    assert "its weights are not quantised; leave quantization out" in found


def test_quantising_while_loading_halves_the_weights(model: MakeShape) -> None:
    plain = judged(model("llama-3.1-8b"), context_tokens=8192).fit
    half = judged(model("llama-3.1-8b"), context_tokens=8192, quantization="fp8").fit
    assert plain is not None and half is not None
    assert half.weights_on_gpu < 0.6 * plain.weights_on_gpu


def test_vllm_alone_quantises_to_fp8_where_a_gpu_only_stores_it(model: MakeShape) -> None:
    def on(gpu: str, **fields: Any) -> engines.Judgement:
        usual = {"quantization": "fp8", "context_tokens": 8192}
        return judged(model("llama-3.1-8b"), catalog.gpu(gpu), **{**usual, **fields})

    ampere = on("a100_sxm_80")
    assert ampere.problems == ()
    assert "weights stay in fp8 and are computed in 16 bits" in ampere.warnings[0]
    assert "does not compute in fp8" in on("v100_sxm2_32").problems[0]
    assert "does not compute in fp8" in on("a100_sxm_80", engine="sglang").problems[0]


def test_a_checkpoint_of_fp8_on_an_older_gpu_is_a_warning(model: MakeShape) -> None:
    stored = model("llama-3.1-8b", quantization_config={"quant_method": "fp8"})
    found = judged(stored, catalog.gpu("a100_sxm_80"), context_tokens=8192)
    assert found.problems == ()
    assert "computed in 16 bits" in found.warnings[0]


def test_a_bf16_checkpoint_runs_in_fp16_where_there_is_no_bf16(model: MakeShape) -> None:
    old = catalog.gpu("v100_sxm2_32")
    assert judged(model("llama-3.1-8b"), old, context_tokens=8192).problems == ()
    found = judged(model("llama-3.1-8b"), old, context_tokens=8192, dtype="bfloat16")
    assert "does not compute in bf16" in found.problems[0]


def test_an_engine_s_share_means_what_the_engine_means_by_it(model: MakeShape) -> None:
    seen = (79 - 0.75) * GIB

    def fit(kind: str) -> Any:
        return judged(
            model("llama-3.1-8b"), engine=kind, memory_utilization=0.8, context_tokens=8192
        ).fit

    weights = fit("vllm").weights_on_gpu
    # vLLM: all within its share; SGLang: overhead outside; TensorRT-LLM: a share of what is left
    assert fit("vllm").room == pytest.approx(0.8 * seen - 2.5 * GIB - weights, abs=2)
    assert fit("sglang").room == pytest.approx(0.8 * seen - weights, abs=2)
    assert fit("tensorrt_llm").room == pytest.approx(0.8 * (seen - 2.5 * GIB - weights), abs=2)


def test_sglang_must_leave_room_for_activations(model: MakeShape) -> None:
    found = judged(
        model("llama-3.1-8b"), engine="sglang", memory_utilization=0.98, context_tokens=8192
    )
    assert "leaves 1.6 GiB of each GPU for activations and graphs" in found.warnings[0]


def test_more_sequences_than_fit_at_once_are_a_warning(model: MakeShape) -> None:
    """They wait for one another: an engine pages its cache, and refuses only what never fits."""
    found = judged(model("llama-3.1-8b"), context_tokens=131_072, concurrency_max=256)
    assert found.problems == ()
    assert "3 sequences of 131,072 tokens fit at once" in found.warnings[0]


@pytest.mark.parametrize("kind", ["triton", "fastchat", "llamacpp"])
def test_engines_with_files_of_their_own_are_not_judged(model: MakeShape, kind: str) -> None:
    found = judged(model("llama-3.1-8b"), engine=kind)
    assert found.fit is None and found.problems == ()
    assert f"not judged: what {kind} takes is decided by its own files" in found.warnings[0]


def test_an_engine_on_the_cpu_is_not_judged(model: MakeShape) -> None:
    assert "runs on the CPU" in judged(model("llama-3.1-8b"), gpus=()).warnings[0]


def test_what_may_fit_is_a_warning_and_what_cannot_is_refused(model: MakeShape) -> None:
    """One H100 serves gpt-oss-120b at its whole context: its log shows 1 GiB of overhead."""
    shape = model("gpt-oss-120b")
    barely = judged(shape, context_tokens=131_072)
    assert barely.problems == ()
    assert "it fits only where the engine needs less than is usual" in barely.warnings[-1]
    assert "does not fit" in judged(shape, memory_utilization=0.85).problems[0]


def test_the_remedy_is_in_the_settings_own_words(model: MakeShape) -> None:
    gpu = catalog.gpu("rtx_5090")
    (found,) = judged(model("llama-3.1-8b"), gpu, context_tokens=110_000).problems
    assert "context_tokens=" in found and 'kv_cache_dtype="fp8"' in found


def test_two_usual_engines_do_not_stand_on_one_gpu() -> None:
    found = side_by_side(engine(), engine())
    assert found.can is False
    assert "old and new would take 0.92 + 0.92 of GPU 0" in found.sentence


def test_two_halves_stand_side_by_side_where_the_model_fits_a_half(model: MakeShape) -> None:
    half = engine(memory_utilization=0.48, context_tokens=8192)
    assert side_by_side(half, half, H100, model("llama-3.1-8b")).can is True
    large = side_by_side(half, half, H100, model("qwen2.5-32b"))
    assert large.can is False
    assert "for weights and overhead alone" in large.sentence


def test_a_smaller_new_version_is_judged_by_its_own_shape(model: MakeShape) -> None:
    half = engine(memory_utilization=0.48, context_tokens=4096)
    sizes = (model("llama-3.1-8b"), model("qwen2.5-32b"))
    assert side_by_side(half, half, H100, sizes[0]).can is True
    assert side_by_side(half, half, H100, sizes[0], sizes[1]).can is False


def test_engines_on_different_gpus_stand_side_by_side() -> None:
    assert side_by_side(engine(gpus=(0, 1)), engine(gpus=(2, 3))).can is True


def test_what_is_not_known_is_not_promised() -> None:
    assert side_by_side(engine(gpus=()), engine(gpus=())).can is None
    assert side_by_side(engine(engine="triton"), engine(engine="triton")).can is None
    half = engine(memory_utilization=0.48)
    assert "is not judged" in side_by_side(half, half).sentence


@pytest.mark.parametrize("kind", ["sglang", "tensorrt_llm"])
def test_a_setting_that_is_no_share_promises_nothing_alone(kind: str) -> None:
    small = engine(engine=kind, memory_utilization=0.2)
    found = side_by_side(small, small)
    assert found.can is None
    assert f"what {kind} takes of a GPU is not known without" in found.sentence


def test_tensorrt_s_weights_come_before_its_share(model: MakeShape) -> None:
    """140 GiB: 65.7 of weights, 2.5 of overhead, 0.45 of the rest, twice."""
    h200, shape = catalog.gpu("h200_sxm"), model("llama-3.1-70b")
    fields: dict[str, Any] = {"engine": "tensorrt_llm", "gpus": (0, 1), "context_tokens": 8192}
    large = engine(**fields, memory_utilization=0.45)
    found = side_by_side(large, large, h200, shape)
    assert found.can is False
    assert "old and new would take 0.716 + 0.716 of GPU 0, 1" in found.sentence
    assert "memory_utilization of at most" not in found.sentence
    small = engine(**fields, memory_utilization=0.2)
    tiny = side_by_side(small, small, h200, model("llama-3.1-8b"))
    assert tiny.can is True


def test_sglang_s_overhead_comes_beside_its_share(model: MakeShape) -> None:
    """79 GiB of an H100: 2.5 are 0.032 of it."""

    def found(part: float) -> Any:
        half = engine(engine="sglang", memory_utilization=part, context_tokens=8192)
        return side_by_side(half, half, H100, model("llama-3.1-8b"))

    assert found(0.45).can is True
    assert "0.482 + 0.482 of GPU 0" in found(0.45).sentence
    assert found(0.48).can is False


def test_many_gpus_are_named_as_a_range() -> None:
    every = engine(gpus=tuple(range(8)))
    assert "of GPU 0 to 7," in side_by_side(every, every).sentence
