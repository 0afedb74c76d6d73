"""Whether a model fits GPUs, how long a context and how many sequences at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

from flightline.plan.sizing import cache, placement, weights
from flightline.plan.sizing.cache import Cache
from flightline.plan.sizing.placement import Placement
from flightline.plan.sizing.request import Request
from flightline.plan.sizing.weights import Weights

GIB = 1024**3
_ENDLESS = 2**30
"""Tokens: stands for any context where config.json names none."""


@dataclass(frozen=True)
class Fit:
    """The arithmetic's result; all bytes are those of the GPU that has most."""

    request: Request
    placement: Placement
    degrees: tuple[int, ...]
    """Tensor parallel degrees that the model can be divided by, up to the GPUs of a node."""
    weights: Weights
    cache: Cache
    usable: int
    """Bytes that the engine may take."""
    overhead: int
    weights_on_gpu: int
    problems: tuple[str, ...]
    """Why it does not fit; empty when it does."""
    warnings: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether the asked context and concurrency can be served."""
        return not self.problems

    @property
    def room(self) -> int:
        """Bytes left for the cache; negative where the weights alone are too large."""
        left = self.usable - self.overhead - self.weights_on_gpu
        return int(left * self.request.assumptions.cache_share) if left > 0 else left

    @property
    def largest_context(self) -> int:
        """Tokens of the longest sequence that one alone can have; 0 when nothing fits."""
        return self.largest_context_of(1)

    def largest_context_of(self, sequences: int) -> int:
        """Return the tokens that each of so many sequences at once can have."""
        block = self.request.assumptions.block_tokens
        longest = self.request.shape.longest_context or _ENDLESS
        room = max(self.room, 0)
        if self.cache.needed(longest, sequences) <= room:
            return longest
        whole = range(block, longest, block)
        return block * bisect_right(
            whole, room, key=lambda tokens: self.cache.needed(tokens, sequences)
        )

    @property
    def concurrency(self) -> int:
        """Sequences of the asked context that fit at once."""
        tokens = self.request.context
        left = self.room - self.cache.ahead(tokens)
        return max(left, 0) // max(self.cache.sequence(tokens), 1)


def judged(request: Request) -> Fit:
    """Return whether the request fits. Whole numbers throughout, rounded to the safe side."""
    shape, known = request.shape, request.assumptions
    placed = _placed(request)
    stored = weights.of(shape, request.weights)
    fit = Fit(
        request=request,
        placement=placed,
        degrees=placement.degrees(shape, request.weights, request.gpus),
        weights=stored,
        cache=cache.of(shape, request.cache_bits, placed, known.step_tokens),
        usable=_usable(request),
        overhead=int(known.overhead_gib * GIB),
        weights_on_gpu=stored.on_gpu(placed),
        problems=(),
        warnings=tuple(_warnings(request, placed)),
    )
    problems = (*_hardware(request), *_spread(request, placed), *_memory(fit))
    return replace(fit, problems=problems)


def _usable(request: Request) -> int:
    seen = max(request.gpu.memory.value - request.assumptions.driver_gib, 0)
    return int(seen * GIB * request.assumptions.utilization)


def _placed(request: Request) -> Placement:
    tensor, pipeline = request.tensor_parallel, request.pipeline_parallel
    if tensor is None and pipeline is None:
        return placement.chosen(request.shape, request.weights, request.gpus, request.nodes)
    total = request.gpus * request.nodes
    if tensor is None:
        tensor = max(total // (pipeline or 1), 1)
    return placement.spread(request.shape, tensor, pipeline or max(total // tensor, 1))


def _hardware(request: Request) -> Iterator[str]:
    gpu, stored = request.gpu, request.weights
    where = f"the {gpu.name} (compute capability {gpu.compute_capability})"
    if not stored.runs(gpu) and not (request.is_stored_only and stored.is_stored(gpu)):
        yield (
            f"{where} does not compute in {stored.name}, which needs "
            f"{stored.needs[0]}.{stored.needs[1]}"
        )
    if request.cache is not None and not request.cache.runs(gpu):
        needs = request.cache.needs
        yield f"{where} has no {request.cache.name} KV cache, which needs {needs[0]}.{needs[1]}"


def _spread(request: Request, placed: Placement) -> Iterator[str]:
    total = request.gpus * request.nodes
    if placed.gpus > total:
        yield (
            f"tensor parallel {placed.tensor_parallel} x pipeline parallel "
            f"{placed.pipeline_parallel} needs {placed.gpus} GPUs, and there are {total}"
        )
    if placed.pipeline_parallel > placed.layers:
        yield (
            f"pipeline parallel {placed.pipeline_parallel} is more than the model's "
            f"{placed.layers} layers"
        )
    for each in placement.hindrances(request.shape, request.weights, placed.tensor_parallel):
        yield f"tensor parallel {placed.tensor_parallel}: {each}"


def _memory(fit: Fit) -> Iterator[str]:
    request, longest = fit.request, fit.request.shape.longest_context
    if longest and request.context > longest:
        yield f"the model was made for {longest:,} tokens, and {request.context:,} are asked for"
    if fit.room <= 0:
        needed = (fit.weights_on_gpu + fit.overhead) / GIB
        yield (
            f"each GPU needs {needed:.1f} GiB for weights and overhead alone, and the engine may "
            f"take {fit.usable / GIB:.1f} GiB"
        )
    elif fit.concurrency < request.concurrency:
        wanted = fit.cache.needed(request.context, request.concurrency) / GIB
        yield (
            f"the KV cache of {_count(request.concurrency, request.context)} takes {wanted:.1f} "
            f"GiB on each GPU, and {fit.room / GIB:.1f} GiB are left"
        )


def _count(sequences: int, tokens: int) -> str:
    each = f"a sequence of {tokens:,} tokens"
    return each if sequences == 1 else f"{sequences:,} sequences of {tokens:,} tokens"


def _warnings(request: Request, placed: Placement) -> Iterator[str]:
    if placed.copies > 1:
        why = (
            "MLA keeps one latent vector a token"
            if request.shape.heads.latent
            else (f"there are {request.shape.heads.kv} KV heads")
        )
        yield (
            f"the KV cache is copied, not divided, over {placed.copies} of "
            f"{placed.tensor_parallel} GPUs ({why})"
        )
    if placed.gpus < request.gpus * request.nodes:
        yield f"{placed.gpus} of {request.gpus * request.nodes} GPUs are used"
    if placed.tensor_parallel > request.gpus:
        yield "tensor parallel goes across nodes: every layer waits for the network"
    stored = request.shape.format
    if request.shape.is_quantized and request.weights is not stored:
        as_if = request.weights.name
        yield f"the checkpoint is stored in {stored.name}; it is sized as if in {as_if}"
    if not request.weights.runs(request.gpu) and request.is_stored_only:
        yield (
            f"weights stay in {request.weights.name} and are computed in 16 bits: saves memory, "
            "and no time"
        )
