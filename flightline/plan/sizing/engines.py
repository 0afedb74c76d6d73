"""Whether engines, as roles declare them, fit their GPUs; and two versions of one, beside another.

What an engine's memory setting means differs: vLLM's and TGI's share covers everything, SGLang's
weights and cache alone, TensorRT-LLM's is of what is left for the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from flightline.catalog.model import Gpu
from flightline.plan.sizing import fit as fits
from flightline.plan.sizing.fit import GIB, Fit
from flightline.plan.sizing.formats import (
    BF16,
    FP8,
    FP16,
    NF4,
    CacheFormat,
    Format,
    cache_format,
    format_of,
)
from flightline.plan.sizing.remedies import Remedy, remedies
from flightline.plan.sizing.request import Assumptions, Request
from flightline.plan.sizing.shape import ModelShape
from flightline.plan.sizing.shares import SHARES


class Engine(Protocol):
    """What is declared of an engine: the fields of EngineSettings that decide its memory."""

    @property
    def name(self) -> str:
        """The service's name."""

    @property
    def engine(self) -> str:
        """vllm, sglang, tensorrt_llm, tgi, llamacpp, triton, fastchat."""

    @property
    def gpus(self) -> Sequence[int]:
        """Indexes of its GPUs on each of its nodes; empty: the CPU."""

    @property
    def nodes(self) -> Sequence[str]:
        """Nodes that it spans; empty: one."""

    @property
    def tensor_parallel(self) -> int | None:
        """GPUs that share a layer; None: all, over the stages."""

    @property
    def pipeline_parallel(self) -> int | None:
        """Stages; None: one."""

    @property
    def context_tokens(self) -> int | None:
        """Longest sequence; None: the model's."""

    @property
    def concurrency_max(self) -> int | None:
        """Sequences at once; None: the engine's default."""

    @property
    def dtype(self) -> str | None:
        """Numbers of weights and activations; None: the model's."""

    @property
    def quantization(self) -> str | None:
        """How weights are quantised; None: as the model says."""

    @property
    def kv_cache_dtype(self) -> str | None:
        """Numbers of the cache; None: as the activations."""

    @property
    def memory_utilization(self) -> float | None:
        """Share of each GPU's memory; None: the engine's default."""


@dataclass(frozen=True)
class Judgement:
    """What sizing says of an engine."""

    problems: tuple[str, ...] = ()
    """Why it cannot work; empty when it can, or is not judged."""
    warnings: tuple[str, ...] = ()
    """What is not judged, and what is unwise."""
    fit: Fit | None = None
    """The arithmetic; None: not judged."""


_CHECKPOINTS = ("awq", "gptq", "compressed-tensors", "modelopt", "mxfp4")
"""Values of quantization that only a checkpoint quantised so can have."""


def problems(engine: Engine, shape: ModelShape, gpu: Gpu) -> tuple[str, ...]:
    """Return why the engine cannot serve the model on these GPUs; empty when it can."""
    return judged(engine, shape, gpu).problems


def judged(engine: Engine, shape: ModelShape, gpu: Gpu) -> Judgement:
    """Return whether the engine fits its GPUs, or why that is not judged."""
    if not engine.gpus:
        return _unjudged("it runs on the CPU, and the node's memory is not declared")
    if engine.engine not in SHARES:
        return _unjudged(f"what {engine.engine} takes is decided by its own files")
    stored, cache = _weights(engine, shape, gpu), _cache(engine)
    context = engine.context_tokens or shape.longest_context
    if isinstance(stored, Judgement):
        return stored
    if isinstance(cache, Judgement):
        return cache
    if context is None:
        return _unjudged("neither context_tokens nor the model's config.json names a context")
    return _of(engine, fits.judged(_request(engine, shape, gpu, stored, cache, context)))


def _of(engine: Engine, fit: Fit) -> Judgement:
    warnings = list(fit.warnings)
    wanted = engine.concurrency_max or 1
    if fit.fits and fit.concurrency < wanted:
        warnings.append(
            f"{fit.concurrency} sequences of {fit.request.context:,} tokens fit at once, and "
            f"concurrency_max is {wanted}: longer ones wait for one another"
        )
    if engine.engine == "sglang" and _left(fit) < Assumptions().overhead_gib:
        warnings.append(
            f"memory_utilization leaves {_left(fit):.1f} GiB of each GPU for activations and "
            f"graphs, expected {Assumptions().overhead_gib:g}: lower it"
        )
    if fit.fits:
        return Judgement((), tuple(warnings), fit)
    why = "; ".join(fit.problems)
    would = "; ".join(_advice(each) for each in remedies(fit)) or "nothing that was tried"
    if fits.judged(replace(fit.request, assumptions=_lean(fit.request.assumptions))).fits:
        warnings.append(
            f"it fits only where the engine needs less than is usual: {why}. Look at its log for "
            f"the cache it found. Would fit in any case: {would}"
        )
        return Judgement((), tuple(warnings), fit)
    return Judgement((f"does not fit: {why}. Would fit: {would}",), tuple(warnings), fit)


def _lean(usual: Assumptions) -> Assumptions:
    """The least overhead that engines' logs showed, 1 GiB and none of the driver's: a plan refuses
    what cannot fit, and warns of what may not."""
    return replace(
        usual,
        driver_gib=0,
        context_gib=min(usual.context_gib, 0.5),
        activations_gib=min(usual.activations_gib, 0.5),
        graphs_gib=0,
    )


def _left(fit: Fit) -> float:
    """GiB of a GPU outside the engine's share."""
    seen = fit.request.gpu.memory.value - fit.request.assumptions.driver_gib
    return seen - fit.usable / GIB


def _advice(remedy: Remedy) -> str:
    if remedy.kind == "context":
        return f"context_tokens={remedy.request.context}"
    return 'kv_cache_dtype="fp8"' if remedy.kind == "cache" else remedy.sentence


def _unjudged(why: str) -> Judgement:
    return Judgement(warnings=(f"whether it fits is not judged: {why}",))


def _request(  # noqa: PLR0917 - parts of one record
    engine: Engine,
    shape: ModelShape,
    gpu: Gpu,
    stored: Format,
    cache: CacheFormat | None,
    context: int,
) -> Request:
    gpus, nodes = len(engine.gpus), max(len(engine.nodes), 1)
    stages = engine.pipeline_parallel or 1
    return Request(
        shape, gpu, gpus, context, stored, cache, nodes,
        tensor_parallel=engine.tensor_parallel or max(gpus * nodes // stages, 1),
        pipeline_parallel=stages,
        is_stored_only=shape.is_quantized or _is_stored_on_load(engine),
        assumptions=_assumed(engine),
    )  # fmt: skip


def _assumed(engine: Engine) -> Assumptions:
    part = engine.memory_utilization or SHARES[engine.engine]
    if engine.engine == "sglang":
        return Assumptions(part, context_gib=0, activations_gib=0, graphs_gib=0)
    if engine.engine == "tensorrt_llm":
        return Assumptions(1.0, cache_share=part)
    return Assumptions(part)


def _weights(engine: Engine, shape: ModelShape, gpu: Gpu) -> Format | Judgement:
    """Return how the engine stores weights: as the checkpoint, or as it quantises while loading."""
    wanted = engine.quantization
    if shape.is_quantized:
        return shape.format
    if wanted is not None:
        return _quantised_on_load(wanted)
    if engine.dtype in (None, "auto"):
        is_old = shape.format is BF16 and not BF16.runs(gpu)
        return FP16 if is_old else shape.format  # vLLM falls back to float16 there
    return format_of(engine.dtype or "") or _unjudged(f"dtype is {engine.dtype}")


def _is_stored_on_load(engine: Engine) -> bool:
    """vLLM quantises to FP8 while loading on GPUs without it too, and computes in 16 bits."""
    return engine.engine == "vllm" and engine.quantization == "fp8"


def _quantised_on_load(wanted: str) -> Format | Judgement:
    if wanted in ("fp8", "bitsandbytes"):
        return FP8 if wanted == "fp8" else NF4
    if wanted.removesuffix("_marlin") in _CHECKPOINTS:
        return Judgement(
            (
                f"quantization is {wanted}, but the model's config.json has no "
                "quantization_config: its weights are not quantised; leave quantization out, or "
                "serve a checkpoint that is",
            )
        )
    return _unjudged(f"how many bits quantization={wanted} leaves is unknown")


def _cache(engine: Engine) -> CacheFormat | Judgement | None:
    wanted = engine.kv_cache_dtype
    if wanted in (None, "auto"):
        return None
    return cache_format(wanted or "") or _unjudged(f"kv_cache_dtype is {wanted}")
