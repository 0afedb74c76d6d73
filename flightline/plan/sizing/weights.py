"""Bytes of a model's weights: in all, and on one GPU."""

from __future__ import annotations

import math
from dataclasses import dataclass

from flightline.plan.sizing.formats import Format
from flightline.plan.sizing.parameters import Parameters
from flightline.plan.sizing.placement import Placement, uneven_part
from flightline.plan.sizing.shape import ModelShape

KEPT_BITS = 16
"""Embeddings, output, norms, biases and routers of a quantised model."""

PADDED = 1.10
"""What experts in mxfp4 take on a GPU for each byte on disk, where widths are no multiples of 256:
kernels pad them. vLLM's "Model loading took": 65.97 GiB for gpt-oss-120b on an H100 (0.11.2), 13.72
for gpt-oss-20b on an A100 (0.19.0), as published logs have it (2026-11-21)."""
_PAD = 256


@dataclass(frozen=True)
class Weights:
    """Weights of a model in one format."""

    parameters: Parameters
    format: Format
    padding: float = 1.0
    """Bytes of experts on a GPU for each byte on disk."""
    expert_width: int = 0
    """Width of a routed expert; 0 without any."""

    @property
    def quantised(self) -> int:
        """Parameters that are stored in the format's bits."""
        covered = {
            "all": self.parameters.total,
            "linear": self.parameters.linear,
            "experts": self.parameters.experts,
        }
        return covered[self.format.covers]

    @property
    def total(self) -> int:
        """Bytes of all weights."""
        kept = self.parameters.total - self.quantised
        return _bytes(self.quantised, self.format.bits) + _bytes(kept, KEPT_BITS)

    def expert_share(self, degree: int) -> float:
        """Return the share of each expert that the GPU with most of it has."""
        part = uneven_part(self.expert_width, self.format, degree)
        return part / self.expert_width if part else 1 / degree

    def on_gpu(self, placement: Placement) -> int:
        """Return the bytes on the GPU that has most of them.

        A pipeline stage has the layers of `placement.stage_share`, and the first or the last one
        the embedding or the output. Latent matrices are on every GPU of a stage, those of keys and
        values on as many as have a head of their own.
        """
        parts, share = self.parameters, placement.stage_share
        degree, heads = placement.tensor_parallel, placement.kv_degree
        inner = _bits(self.format, "linear")
        experts = parts.experts * _bits(self.format, "experts") * self.padding
        divided = (parts.attention + parts.mlp) * inner / degree
        divided += experts * self.expert_share(degree)
        layers = divided + parts.keys_values * inner / heads + parts.latent * inner
        outer = _bits(self.format, "all")
        edge = (
            (parts.embedding + parts.head)
            if placement.pipeline_parallel == 1
            else max(parts.embedding, parts.head or parts.embedding)
        )
        rest = parts.small * outer * share + (edge + parts.vision) * outer / degree
        return math.ceil((layers * share + rest) / 8)


def of(shape: ModelShape, stored: Format) -> Weights:
    """Return the weights of a model stored in a format."""
    has_odd_widths = any(width % _PAD for width in (shape.hidden, shape.widths.expert))
    is_padded = stored.name == "mxfp4" and has_odd_widths
    padding = PADDED if is_padded else 1.0
    return Weights(shape.parameters, stored, padding, shape.widths.expert)


def bare(parameters: int, bits: float) -> int:
    """Return the bytes of so many parameters of so many bits each: the figure that tables print.

    A real checkpoint of few bits is larger: its embeddings and its scales are not in it.
    """
    return _bytes(parameters, bits)


def _bits(stored: Format, part: str) -> float:
    """Return the bits of a part that is covered at the latest by `part`."""
    order = ("experts", "linear", "all")
    return stored.bits if order.index(part) <= order.index(stored.covers) else KEPT_BITS


def _bytes(count: int, bits: float) -> int:
    return math.ceil(count * bits / 8)
