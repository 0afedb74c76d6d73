"""The number format that a checkpoint's quantization_config declares, by each method's own keys.

Sources: transformers, utils/quantization_config.py; compressed-tensors, quantization/quant_args.py;
TensorRT-LLM and ModelOpt, hf_quant_config.json; from knowledge of them (2026-11-21).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from flightline.plan.sizing.config import Config
from flightline.plan.sizing.formats import FP8, INT8, MXFP4, NF4, NVFP4, Format, grouped

_BITS = range(2, 9)


def of(declared: Config) -> Format:
    """Return the format of a quantization_config.

    Raises FlightlineError for a method that is unknown, or that leaves out what decides its size.
    """
    method = (declared.text("quant_method") or _guessed(declared)).lower()
    known = _METHODS.get(method)
    if known is None:
        declared.refuse(
            f"{declared.part}quant_method is {method[:40]!r}, whose bits are unknown; known are "
            f"{', '.join(_METHODS)}"
        )
    return known(declared)


def cache_bits(declared: Config) -> int | None:
    """Return the bits of the KV cache that the checkpoint has scales for; None without."""
    scheme = declared.inner("kv_cache_scheme")
    if scheme is not None and scheme.fields.get("num_bits") == 8:
        return 8
    named = str(declared.fields.get("kv_cache_quant_algo") or "")
    return 8 if named.upper() == "FP8" else None


def _guessed(declared: Config) -> str:
    """ModelOpt's older checkpoints name no method, only an algorithm."""
    return "modelopt" if declared.has("quant_algo") else ""


def _integers(declared: Config) -> Format:
    bits = _bits(declared, "bits", "w_bit")
    return grouped(bits, _group(declared, "group_size", "q_group_size"))


def _bits(declared: Config, *names: str) -> int:
    bits = declared.count(*names)
    if bits not in _BITS and bits != 1:
        declared.wrong.append(f"{declared.part}{names[0]} is {bits}, expected 2 to 8")
    return bits


def _group(declared: Config, *names: str) -> int | None:
    """Weights in a group; -1 and null: a whole column."""
    if any(declared.fields.get(name) == -1 for name in names):
        return None
    return declared.count(*names, default=0, least=0) or None


def _fp8(declared: Config) -> Format:
    blocks = declared.counts("weight_block_size")
    if len(blocks) != 2 or min(blocks) < 1:
        return FP8
    cells = blocks[0] * blocks[1]
    return replace(FP8, bits=8 + 32 / cells, arithmetic=f"8 + 32/{cells}", block=max(blocks))


def _bitsandbytes(declared: Config) -> Format:
    if declared.flag("load_in_8bit", False):
        return INT8
    if declared.flag("bnb_4bit_use_double_quant", False):
        return replace(NF4, bits=4 + 8 / 64 + 32 / (64 * 256), arithmetic="4 + 8/64 + 32/16384")
    return NF4


def _compressed(declared: Config) -> Format:
    """The widest group of config_groups: mixed checkpoints are taken for the larger."""
    found = list(_groups(declared))
    if not found:
        declared.refuse(
            f"{declared.part}config_groups has no weights with num_bits, so their size is unknown"
        )
    return max(found, key=lambda each: each.bits)


def _groups(declared: Config) -> Iterator[Format]:
    groups = declared.inner("config_groups")
    for name in groups.fields if groups else ():
        group = groups.inner(name) if groups else None
        weights = group.inner("weights") if group else None
        if group and weights:
            yield _weights(weights)
            for part in (group, weights):
                declared.wrong += part.wrong
                declared.missing += part.missing


def _weights(weights: Config) -> Format:
    bits = _bits(weights, "num_bits")
    size = _group(weights, "group_size")
    if weights.text("type") == "float":
        if bits == 4:
            return NVFP4 if size == 16 else MXFP4
        return replace(_blocks(weights), name="fp8") if bits == 8 else grouped(bits, size)
    has_zeros = not weights.flag("symmetric", True)
    return grouped(bits, size, has_zeros)


def _blocks(weights: Config) -> Format:
    blocks = weights.counts("block_structure")
    if len(blocks) != 2 or min(blocks) < 1:
        return FP8
    cells = blocks[0] * blocks[1]
    return replace(FP8, bits=8 + 32 / cells, arithmetic=f"8 + 32/{cells}", block=max(blocks))


def _modelopt(declared: Config) -> Format:
    algorithm = (declared.text("quant_algo") or "").upper()
    known = {"FP8": FP8, "NVFP4": NVFP4, "W4A16_AWQ": grouped(4, 128), "INT8_SQ": INT8}
    if algorithm not in known:
        declared.refuse(
            f"{declared.part}quant_algo is {algorithm[:40]!r}, whose bits are unknown; known are "
            f"{', '.join(known)}"
        )
    return known[algorithm]


def _mxfp4(_: Config) -> Format:
    """gpt-oss: experts alone."""
    return replace(MXFP4, covers="experts")


_METHODS: Mapping[str, Callable[[Config], Format]] = {
    "gptq": _integers,
    "awq": _integers,
    "gptq_marlin": _integers,
    "awq_marlin": _integers,
    "fp8": _fp8,
    "fbgemm_fp8": _fp8,
    "mxfp4": _mxfp4,
    "bitsandbytes": _bitsandbytes,
    "compressed-tensors": _compressed,
    "modelopt": _modelopt,
}
