"""What part of a GPU an engine takes in all, whatever its memory setting is a part of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flightline.plan.sizing.request import Assumptions

if TYPE_CHECKING:
    from flightline.plan.sizing.engines import Engine

SHARES: Mapping[str, float] = {"vllm": 0.92, "sglang": 0.88, "tgi": 1.0, "tensorrt_llm": 0.9}
"""Default of memory_utilization: vllm serve --help of 0.32 [run]; SGLang's server arguments (by
GPU, 0.88 on most); text-generation-launcher --help; trtllm-serve --help: these three from knowledge
of them (2026-11-21)."""


def share(
    engine: Engine, memory_gib: float | None = None, weights_gib: float | None = None
) -> float | None:
    """Return the share of its GPUs' memory that an engine takes; None where that is unknown.

    `memory_gib` is a GPU's memory, `weights_gib` the weights on one. vLLM's and TGI's setting is
    that share. SGLang takes its overhead beside it, so that the memory must be known;
    TensorRT-LLM's is of what weights and overhead leave, so that the weights must be known too.
    Zero for an engine on the CPU.
    """
    if not engine.gpus:
        return 0.0
    part, overhead = engine.memory_utilization or SHARES.get(engine.engine), _USUAL.overhead_gib
    if part is None or engine.engine not in _PARTIAL:
        return part
    if memory_gib is None:
        return None
    if engine.engine == "sglang":
        return part + overhead / memory_gib
    if weights_gib is None:
        return None
    taken = weights_gib + overhead
    return (taken + part * max(memory_gib - _USUAL.driver_gib - taken, 0)) / memory_gib


_USUAL = Assumptions()
_PARTIAL = ("sglang", "tensorrt_llm")
