"""Number formats of weights and of the KV cache: bits of a number, and GPUs that compute in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from flightline.catalog.model import Gpu

Capability = tuple[int, int]


@dataclass(frozen=True)
class Format:
    """How weights are stored."""

    name: str
    bits: float
    """Bits of one quantised weight, scales and zero points included."""
    covers: Literal["all", "linear", "experts"]
    """Which weights are stored so. all: every one. linear: the layers' matrices, while embeddings,
    output, norms and routers keep 16 bits. experts: routed experts alone."""
    arithmetic: str
    """How the bits come about."""
    needs: Capability = (7, 0)
    """Compute capability from which a GPU computes in it."""
    stores_from: Capability | None = None
    """Compute capability from which vLLM keeps such weights and computes in 16 bits instead
    (weight-only kernels): saves memory, and no time. None: it does not."""
    block: int | None = None
    """Weights that share a scale and must stay together on one GPU; None for no such rule."""
    cache_bits: int = 16
    """Bits of a number in the KV cache where nothing else is asked for."""

    def runs(self, gpu: Gpu) -> bool:
        """Return whether the GPU computes in it."""
        return capability(gpu) >= self.needs

    def is_stored(self, gpu: Gpu) -> bool:
        """Return whether vLLM can at least keep weights so on the GPU."""
        return self.stores_from is not None and capability(gpu) >= self.stores_from


def capability(gpu: Gpu) -> Capability:
    """Return the GPU's compute capability as a pair."""
    major, minor = gpu.compute_capability.split(".")
    return int(major), int(minor)


FP8_NEEDS = (8, 9)
FP4_NEEDS = (10, 0)
"""CUDA C++ Programming Guide, arithmetic of tensor cores by compute capability, 2026-11-21."""

FP8_STORED = (7, 5)
"""docs.vllm.ai/en/v0.32.0/features/quantization/llm_compressor/fp8, 2026-11-21: W8A16, Marlin."""

FP4_STORED = (8, 0)
"""Marlin's kernels for 4 bit floats run from Ampere on (vLLM, marlin_utils_fp4.py); gpt-oss is
published for one H100, which has no FP4 (openai/gpt-oss README, 2026-11-21)."""

FP32 = Format("fp32", 32, "all", "32", cache_bits=32)
FP16 = Format("fp16", 16, "all", "16")
BF16 = Format("bf16", 16, "all", "16", needs=(8, 0))
FP8 = Format("fp8", 8, "linear", "8", FP8_NEEDS, FP8_STORED)
INT8 = Format("int8", 8, "linear", "8")
NF4 = Format("nf4", 4 + 32 / 64, "linear", "4 + 32/64")
MXFP4 = Format("mxfp4", 4 + 8 / 32, "linear", "4 + 8/32", FP4_NEEDS, FP4_STORED, block=32)
NVFP4 = Format("fp4", 4 + 8 / 16, "linear", "4 + 8/16", FP4_NEEDS, FP4_STORED, block=16)


def grouped(bits: int, group: int | None, has_zeros: bool = True) -> Format:
    """Return integers of so many bits, with a 16 bit scale, and a zero point, for each group."""
    zeros = bits if has_zeros else 0
    if group is None:
        return Format(f"int{bits}", bits, "linear", f"{bits}")
    return Format(
        f"int{bits}", bits + (16 + zeros) / group, "linear",
        f"{bits} + (16 + {zeros})/{group}", block=group,
    )  # fmt: skip


INT4 = grouped(4, 128)
"""GPTQ and AWQ as they are usually made: groups of 128."""

_NAMES: Mapping[str, Format] = {
    **dict.fromkeys(("fp32", "float32", "float"), FP32),
    **dict.fromkeys(("fp16", "float16", "half"), FP16),
    **dict.fromkeys(("bf16", "bfloat16"), BF16),
    "fp8": FP8,
    "int8": INT8,
    **dict.fromkeys(("int4", "gptq", "awq"), INT4),
    "nf4": NF4,
    "mxfp4": MXFP4,
    **dict.fromkeys(("fp4", "nvfp4"), NVFP4),
}

NAMES = tuple(_NAMES)


def format_of(name: str) -> Format | None:
    """Return the format of a name, as people, torch and vLLM call it; None for an unknown one."""
    return _NAMES.get(name.lower().removeprefix("torch."))


@dataclass(frozen=True)
class CacheFormat:
    """How the KV cache is stored."""

    name: str
    bits: int
    needs: Capability = (7, 0)

    def runs(self, gpu: Gpu) -> bool:
        """Return whether the GPU's kernels read it."""
        return capability(gpu) >= self.needs


_CACHES = (
    CacheFormat("fp32", 32),
    CacheFormat("fp16", 16),
    CacheFormat("bf16", 16, (8, 0)),
    CacheFormat("fp8", 8, FP8_NEEDS),
    CacheFormat("fp8_e4m3", 8, FP8_NEEDS),
    CacheFormat("fp8_e5m2", 8, (8, 0)),
)
"""E4M3 in attention kernels needs the hardware; E5M2 is 16 bits cut short
(docs.vllm.ai/en/latest/features/quantization/quantized_kvcache, 2026-11-21)."""

CACHE_NAMES = ("auto", "float16", "bfloat16", *(each.name for each in _CACHES))


def cache_format(name: str) -> CacheFormat | None:
    """Return the cache's format of a name; None for an unknown one, and for auto."""
    short = {"float16": "fp16", "half": "fp16", "bfloat16": "bf16", "float32": "fp32"}
    wanted = short.get(name.lower(), name.lower())
    return next((each for each in _CACHES if each.name == wanted), None)
