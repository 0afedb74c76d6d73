"""Bytes of the KV cache on one GPU: what grows with the context, and what does not."""

from __future__ import annotations

import math
from dataclasses import dataclass

from flightline.plan.sizing.placement import Placement, spread
from flightline.plan.sizing.shape import ModelShape

STATE_BITS = 32
"""Of a number in a recurrent layer's state: kept in 32 bits, as vLLM does for gated delta nets."""


@dataclass(frozen=True)
class Cache:
    """What one sequence takes on the GPU that has most of it."""

    growing: int
    """Bytes of every token, in full layers."""
    sliding: int
    """Bytes of every token within the window, in sliding layers."""
    window: int
    """Tokens."""
    step: int
    """Tokens that are read at a time."""
    constant: int
    """Bytes whatever the context is: states of recurrent layers."""

    def sequence(self, tokens: int) -> int:
        """Return the bytes of a sequence of so many tokens."""
        return self.growing * tokens + self.sliding * min(tokens, self.window) + self.constant

    def ahead(self, tokens: int) -> int:
        """Return the bytes that the one sequence which is being read takes beyond its window.

        Sliding layers keep what a step reads until it is done (vLLM, SlidingWindowSpec: window - 1
        + max_num_batched_tokens).
        """
        return self.sliding * max(min(self.step, tokens - self.window), 0)

    def needed(self, tokens: int, sequences: int) -> int:
        """Return the bytes of so many sequences of so many tokens, one of them being read."""
        return self.sequence(tokens) * sequences + self.ahead(tokens)


def per_token(shape: ModelShape, bits: int = 16) -> int:
    """Return the bytes that all layers with attention keep of one token, in all."""
    return (shape.layers.full + shape.layers.sliding) * shape.heads.kept * bits // 8


def of(shape: ModelShape, bits: int, placement: Placement | None = None, step: int = 0) -> Cache:
    """Return what a sequence takes on one GPU of a placement; without one, on a single GPU.

    `step`: tokens that the engine reads at a time.
    """
    placed = placement or spread(shape, 1, 1)
    token = shape.heads.kept * bits / 8 * placed.stage_share / placed.kv_degree
    layers = shape.layers
    state = shape.state * STATE_BITS / 8 * placed.stage_share / placed.tensor_parallel
    return Cache(
        math.ceil(layers.full * token),
        math.ceil(layers.sliding * token),
        layers.window,
        step,
        math.ceil(state),
    )
