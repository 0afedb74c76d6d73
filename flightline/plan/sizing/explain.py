"""The arithmetic of a fit, line by line, and every assumption with its value and source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flightline.plan.sizing.cache import STATE_BITS
from flightline.plan.sizing.fit import GIB, Fit
from flightline.plan.sizing.weights import KEPT_BITS

GB = 1000**3


@dataclass(frozen=True)
class Line:
    """One step of the arithmetic."""

    what: str
    arithmetic: str
    result: str


@dataclass(frozen=True)
class Assumption:
    """One number that neither config.json nor the catalog says."""

    name: str
    value: str
    source: str


def lines(fit: Fit) -> tuple[Line, ...]:
    """Return the arithmetic in the order in which it is done."""
    return (*_parameters(fit), *_weights(fit), *_memory(fit), *_cache(fit), *_results(fit))


def assumptions(fit: Fit) -> tuple[Assumption, ...]:
    """Return every assumption that the result depends on."""
    return tuple(_assumed(fit))


def _parameters(fit: Fit) -> Iterator[Line]:
    parts = fit.request.shape.parameters
    named = {
        "embedding": parts.embedding,
        "output": parts.head,
        "attention": parts.attention + parts.keys_values + parts.latent,
        "MLP": parts.mlp,
        "experts": parts.experts,
        "norms, biases, routers": parts.small,
        "vision": parts.vision,
    }
    sum_ = " + ".join(f"{name} {_billions(count)}" for name, count in named.items() if count)
    yield Line("parameters", sum_, f"{parts.total:,}")


def _weights(fit: Fit) -> Iterator[Line]:
    stored, weights = fit.request.weights, fit.weights
    kept = weights.parameters.total - weights.quantised
    text = f"{_billions(weights.quantised)} x {stored.bits:.4g} bits"
    if stored.arithmetic != f"{stored.bits:g}":
        text += f" ({stored.arithmetic})"
    if kept:
        text += f" + {_billions(kept)} x {KEPT_BITS} bits"
    yield Line("weights", text, f"{weights.total / GB:.2f} GB = {_gib(weights.total)}")
    placed = fit.placement
    share = weights.expert_share(placed.tensor_parallel)
    is_uneven = share * placed.tensor_parallel > 1.0001
    stage = f", {placed.stage_layers} of {placed.layers} layers" * (placed.pipeline_parallel > 1)
    yield Line(
        "weights on each GPU",
        f"tensor parallel {placed.tensor_parallel}{stage}"
        + f", {share:.4f} of the experts" * is_uneven
        + f", experts x {weights.padding:g}" * (weights.padding > 1),
        _gib(fit.weights_on_gpu),
    )


def _memory(fit: Fit) -> Iterator[Line]:
    request, known = fit.request, fit.request.assumptions
    yield Line(
        "memory the engine may take",
        f"({request.gpu.memory.value:g} - {known.driver_gib:g} driver) GiB x {known.utilization:g} "
        f"({request.gpu.name})",
        _gib(fit.usable),
    )
    yield Line(
        "overhead",
        f"{known.context_gib:g} context and NCCL + {known.activations_gib:g} activations + "
        f"{known.graphs_gib:g} CUDA graphs",
        _gib(fit.overhead),
    )
    yield Line(
        "left for the KV cache",
        f"{_gib(fit.usable)} - {_gib(fit.overhead)} - {_gib(fit.weights_on_gpu)}"
        + f", {known.cache_share:g} of it" * (known.cache_share < 1),
        _gib(fit.room),
    )


def _cache(fit: Fit) -> Iterator[Line]:
    shape, placed = fit.request.shape, fit.placement
    heads, layers, bits = shape.heads, shape.layers, fit.request.cache_bits
    one = (
        f"{heads.latent} latent numbers"
        if heads.latent
        else f"2 x {heads.kv} KV heads x {heads.width}"
    )
    shared = f" / {placed.kv_degree} GPUs" * (placed.kv_degree > 1)
    shared += f" / {placed.pipeline_parallel} stages" * (placed.pipeline_parallel > 1)
    if layers.full:
        yield Line(
            "KV cache of a token",
            f"{layers.full} layers x {one} x {bits // 8} B{shared}",
            f"{fit.cache.growing:,} B",
        )
    if layers.sliding:
        yield Line(
            f"KV cache within {layers.window:,} tokens",
            f"{layers.sliding} sliding layers x {one} x {bits // 8} B{shared}",
            f"{fit.cache.sliding:,} B a token",
        )
    if fit.cache.constant:
        yield Line(
            "states of a sequence",
            f"{layers.recurrent} recurrent layers, {STATE_BITS} bits a number",
            f"{fit.cache.constant:,} B",
        )


def _results(fit: Fit) -> Iterator[Line]:
    request = fit.request
    sequence = fit.cache.sequence(request.context)
    yield Line(
        "KV cache of a sequence",
        f"{request.context:,} tokens" + _terms(fit),
        _gib(sequence),
    )
    if ahead := fit.cache.ahead(request.context):
        tokens = ahead // fit.cache.sliding
        yield Line(
            "sliding layers while a step is read",
            f"{tokens:,} x {fit.cache.sliding:,} B, of one sequence",
            _gib(ahead),
        )
    yield Line(
        "largest context of one sequence",
        f"{_gib(max(fit.room, 0))} of cache, at most {request.shape.longest_context or 'any'} "
        "by the model",
        f"{fit.largest_context:,} tokens",
    )
    yield Line(
        "sequences of that context at once",
        f"({_gib(max(fit.room, 0))} - {_gib(fit.cache.ahead(request.context))}) / {_gib(sequence)}"
        if fit.cache.ahead(request.context)
        else f"{_gib(max(fit.room, 0))} / {_gib(sequence)}",
        f"{fit.concurrency:,}",
    )


def _terms(fit: Fit) -> str:
    """Show what a sequence's bytes are made of."""
    cache, tokens = fit.cache, fit.request.context
    terms = [f"{tokens:,} x {cache.growing:,} B"] if cache.growing else []
    if cache.sliding:
        terms.append(f"{min(tokens, cache.window):,} x {cache.sliding:,} B")
    if cache.constant:
        terms.append(f"{cache.constant:,} B")
    return ": " + " + ".join(terms)


def _assumed(fit: Fit) -> Iterator[Assumption]:
    known = fit.request.assumptions
    ours = "customary, not measured here; compare with the engine's log of free KV blocks"
    yield Assumption(
        "utilization", f"{known.utilization:g}", "vLLM's default is 0.92 (vllm serve --help, 0.32)"
    )
    yield Assumption(
        "driver",
        f"{known.driver_gib:g} GiB a GPU",
        "torch sees 79.15 of an A100's 80 GiB, 139.7 of an H200's 140.4",
    )
    yield Assumption("context and NCCL", f"{known.context_gib:g} GiB a GPU", ours)
    yield Assumption("activations", f"{known.activations_gib:g} GiB a GPU", ours)
    yield Assumption("CUDA graphs", f"{known.graphs_gib:g} GiB a GPU", ours)
    yield Assumption("block", f"{known.block_tokens} tokens", "vLLM's default block size")
    memory = fit.request.gpu.memory
    yield Assumption(
        "GPU memory", f"{memory.value:g} {memory.unit}", f"{memory.source} ({memory.date})"
    )
    if fit.weights.quantised < fit.weights.parameters.total:
        yield Assumption(
            "weights that are not quantised", f"{KEPT_BITS} bits",
            "embeddings, output, norms and routers, as GPTQ, AWQ and FP8 checkpoints keep them",
        )  # fmt: skip
    if fit.weights.padding > 1:
        yield Assumption(
            "experts on a GPU", f"{fit.weights.padding:g} of their size on disk",
            "mxfp4 kernels pad odd widths; vLLM's logs of gpt-oss-20b and 120b",
        )  # fmt: skip
    if fit.request.shape.layers.sliding:
        yield Assumption(
            "sliding layers", f"keep {fit.request.shape.layers.window:,} tokens",
            "engines with a hybrid KV cache (vLLM's default); others keep all tokens",
        )  # fmt: skip
        yield Assumption(
            "step", f"{known.step_tokens:,} tokens",
            "vLLM's default max_num_batched_tokens on GPUs of 70 GiB and more",
        )  # fmt: skip
    for note in fit.request.shape.notes:
        yield Assumption("model", note, "config.json")


def _billions(count: int) -> str:
    return f"{count / 1e9:.3f}e9"


def _gib(count: int) -> str:
    return f"{count / GIB:.2f} GiB"
