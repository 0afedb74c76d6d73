"""What would fit where a request does not: each remedy was judged like the request itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from flightline.plan.sizing import placement
from flightline.plan.sizing.fit import Fit, judged
from flightline.plan.sizing.formats import FP8, FP16, INT4, INT8, Format, cache_format
from flightline.plan.sizing.request import Request

Kind = Literal["context", "concurrency", "cache", "weights", "gpus", "parallel", "combined"]

_IN_A_NODE = (1, 2, 4, 8)
_NODES = (2, 4, 8, 16)
_FEWER_BITS = (FP16, FP8, INT8, INT4)


@dataclass(frozen=True)
class Remedy:
    """One change after which the request fits."""

    kind: Kind
    sentence: str
    request: Request

    @property
    def options(self) -> dict[str, str | int]:
        """The options of `flightline size` that differ."""
        asked = self.request
        found: dict[str, str | int] = {
            "context": asked.context, "concurrency": asked.concurrency, "gpus": asked.gpus,
            "nodes": asked.nodes, "dtype": asked.weights.name,
        }  # fmt: skip
        return found | ({"kv_dtype": asked.cache.name} if asked.cache else {})


def remedies(fit: Fit) -> tuple[Remedy, ...]:
    """Return the changes after which the request fits; empty where it fits, or nothing would help.

    One change at a time; where neither fewer bits nor more GPUs alone help, both together.
    """
    if fit.fits:
        return ()
    found = [each for each in _single(fit) if judged(each.request).fits]
    if not any(each.kind in ("weights", "gpus") for each in found):
        found += _first(each for each in _combined(fit) if judged(each.request).fits)
    return tuple(found)


def _single(fit: Fit) -> Iterator[Remedy]:
    yield from _context(fit)
    yield from _concurrency(fit)
    yield from _parallel(fit)
    yield from _cache(fit.request)
    yield from _weights(fit.request)
    yield from _first(each for each in _gpus(fit.request) if judged(each.request).fits)


def _context(fit: Fit) -> Iterator[Remedy]:
    tokens = fit.largest_context_of(fit.request.concurrency)
    if 0 < tokens < fit.request.context:
        yield Remedy(
            "context",
            f"a shorter context: {tokens:,} tokens",
            replace(fit.request, context=tokens),
        )


def _concurrency(fit: Fit) -> Iterator[Remedy]:
    if 0 < fit.concurrency < fit.request.concurrency:
        yield Remedy(
            "concurrency",
            f"fewer sequences at once: {fit.concurrency:,}",
            replace(fit.request, concurrency=fit.concurrency),
        )


def _parallel(fit: Fit) -> Iterator[Remedy]:
    request = fit.request
    if request.tensor_parallel is None and request.pipeline_parallel is None:
        return
    free = replace(request, tensor_parallel=None, pipeline_parallel=None)
    placed = judged(free).placement
    yield Remedy(
        "parallel",
        f"tensor parallel {placed.tensor_parallel} x pipeline parallel {placed.pipeline_parallel}",
        free,
    )


def _cache(request: Request) -> Iterator[Remedy]:
    smaller = cache_format("fp8")
    if request.cache_bits > 8 and smaller is not None and smaller.runs(request.gpu):
        yield Remedy("cache", "an FP8 KV cache", replace(request, cache=smaller))


def _weights(request: Request) -> Iterator[Remedy]:
    for stored in _smaller(request):
        bits = f"{stored.bits:g} bits"
        yield Remedy(
            "weights", f"weights in {stored.name} ({bits})", replace(request, weights=stored)
        )


def _smaller(request: Request) -> Iterator[Format]:
    """Formats that the GPU computes in, of fewer bits, or of as many where it cannot the asked."""
    for stored in _FEWER_BITS:
        is_other = stored.bits < request.weights.bits or not request.weights.runs(request.gpu)
        is_twin = stored is INT8 and FP8.runs(request.gpu)
        fits = stored.bits <= request.weights.bits and stored.runs(request.gpu)
        if is_other and fits and not is_twin:
            yield stored


def _gpus(request: Request) -> Iterator[Remedy]:
    freed = replace(request, tensor_parallel=None, pipeline_parallel=None)
    for count in _IN_A_NODE:
        if count > request.gpus and placement.degrees(request.shape, request.weights, count):
            yield Remedy("gpus", f"{count} GPUs in a node", replace(freed, gpus=count))
    full = max(request.gpus, _IN_A_NODE[-1])
    for nodes in _NODES:
        if nodes > request.nodes:
            sentence = f"{nodes} nodes of {full} GPUs"
            yield Remedy("gpus", sentence, replace(freed, gpus=full, nodes=nodes))


def _combined(fit: Fit) -> Iterator[Remedy]:
    longest = fit.request.shape.longest_context
    within = min(fit.request.context, longest) if longest else fit.request.context
    asked = replace(fit.request, context=within)
    shorter = f", {within:,} tokens" if within < fit.request.context else ""
    for stored in (asked.weights, *_smaller(asked)):
        for each in (None, *_gpus(replace(asked, weights=stored))):
            request = each.request if each else replace(asked, weights=stored)
            gpus = f" on {each.sentence}" if each else ""
            yield Remedy("combined", f"weights in {stored.name}{gpus}{shorter}", request)


def _first(found: Iterator[Remedy]) -> list[Remedy]:
    first = next(found, None)
    return [first] if first else []
