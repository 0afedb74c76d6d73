"""What is to be served on which GPUs, and what is assumed of them."""

from __future__ import annotations

from dataclasses import dataclass

from flightline.catalog.model import Gpu
from flightline.plan.sizing.formats import CacheFormat, Format
from flightline.plan.sizing.shape import ModelShape


@dataclass(frozen=True)
class Assumptions:
    """What config.json and catalog do not say: compare with the engine's own log, and adjust."""

    utilization: float = 0.92
    """Share of a GPU's memory that the engine may take: vLLM's default (vllm serve --help of 0.32,
    read 2026-11-20)."""
    driver_gib: float = 0.75
    """What the driver keeps of each GPU, GiB: torch sees 79.15 of an A100's 80 and 139.7 of an
    H200's 140.4 (its out-of-memory messages, as quoted in public issues, 2026-11-21)."""
    context_gib: float = 1.0
    """CUDA context and NCCL's buffers on each GPU, GiB: customary, not measured here."""
    activations_gib: float = 1.0
    """Activations of the largest step on each GPU, GiB: customary for 2048 to 8192 tokens a step,
    not measured here."""
    graphs_gib: float = 0.5
    """CUDA graphs on each GPU, GiB: customary, not measured here; 0 with eager execution."""
    cache_share: float = 1.0
    """Share of what is left then that the engine gives to the cache: TensorRT-LLM's
    kv_cache_free_gpu_memory_fraction; others take all of it."""
    step_tokens: int = 8192
    """Tokens that are read at a time: vLLM's default max_num_batched_tokens on GPUs of 70 GiB and
    more. It counts for sliding layers alone."""
    block_tokens: int = 16
    """Tokens that the cache hands out at a time: vLLM's default block."""

    @property
    def overhead_gib(self) -> float:
        """GiB of each GPU that neither weights nor cache take."""
        return self.context_gib + self.activations_gib + self.graphs_gib


@dataclass(frozen=True)
class Request:
    """What is to be served, and on what."""

    shape: ModelShape
    gpu: Gpu
    gpus: int
    """GPUs in each node."""
    context: int
    """Tokens of one sequence, prompt and answer together."""
    weights: Format
    cache: CacheFormat | None = None
    """None: as the weights are computed."""
    nodes: int = 1
    concurrency: int = 1
    """Sequences of that context at once."""
    tensor_parallel: int | None = None
    """None: chosen."""
    pipeline_parallel: int | None = None
    is_stored_only: bool = False
    """Accept weights in a format that the GPU does not compute in, where vLLM keeps them so."""
    assumptions: Assumptions = Assumptions()

    @property
    def cache_bits(self) -> int:
        """Bits of one number in the KV cache."""
        if self.cache is not None:
            return self.cache.bits
        return self.shape.cache_bits or self.weights.cache_bits
