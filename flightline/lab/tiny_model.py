"""A language model that weighs 0.3 MB: real to an engine, made here, with nothing to say.

A llama architecture of one layer with random weights, as a GGUF file. Its tokens are the bytes.
Only the letters of one case have weights in the last layer, so that answers are text, and so that
each version's answers tell which version gave them: "1" speaks in lower case, "2" in upper case.

The container: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (version 3, read 2026-11);
the keys and tensors of the llama architecture are from there as well.
"""

from __future__ import annotations

import random
import string
import struct
from array import array
from collections.abc import Iterable

NAME = "tiny"
FILE = "model.gguf"
SPOKEN = {"1": string.ascii_lowercase, "2": string.ascii_uppercase}
"""For each version, the letters that its answers consist of."""

CONTEXT_TOKENS = 2048
_WIDTH, _HEADS, _FEED_FORWARD = 64, 2, 128
_ALIGNMENT = 32  # bytes; general.alignment's default

Value = str | bool | int | float | list[str] | list[int]

# "the" as words begin: the tokenizer of this kind must have a merge.
_MERGES = ["Ġ t"]
_CHAT = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def gguf(version: str) -> bytes:
    """Return the version's model file; the same version is the same bytes on every computer."""
    tensors = _tensors(random.Random(f"{NAME} {version}"), _spoken_tokens(version))  # noqa: S311 - weights, not secrets
    keys = _keys(version)
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(keys))
    head += b"".join(_string(key) + _value(value) for key, value in keys.items())
    data = b""
    for name, (shape, numbers) in tensors.items():
        dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        head += _string(name) + dimensions + struct.pack("<IQ", 0, len(data))  # 0: 32-bit floats
        data += _aligned(numbers.tobytes())
    return _aligned(head) + data


def _keys(version: str) -> dict[str, Value]:
    tokens = _tokens()
    return {
        "general.architecture": "llama",
        "general.name": f"{NAME} {version}",
        "llama.context_length": CONTEXT_TOKENS,
        "llama.embedding_length": _WIDTH,
        "llama.block_count": 1,
        "llama.feed_forward_length": _FEED_FORWARD,
        "llama.attention.head_count": _HEADS,
        "llama.attention.head_count_kv": _HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": _WIDTH // _HEADS,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        # 1: an ordinary token; 3: a control token, never shown
        "tokenizer.ggml.token_type": [1] * (len(tokens) - 2) + [3, 3],
        "tokenizer.ggml.merges": _MERGES,
        "tokenizer.ggml.bos_token_id": len(tokens) - 2,
        "tokenizer.ggml.eos_token_id": len(tokens) - 1,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": _CHAT,
    }


def _tensors(
    source: random.Random, spoken: set[int]
) -> dict[str, tuple[tuple[int, ...], array[float]]]:
    """Return name → (shape, numbers); the first dimension is the one that lies together."""
    square, up, down = (_WIDTH, _WIDTH), (_WIDTH, _FEED_FORWARD), (_FEED_FORWARD, _WIDTH)
    count = len(_tokens())
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (_WIDTH, count),
        "blk.0.attn_norm.weight": (_WIDTH,),
        **{f"blk.0.attn_{each}.weight": square for each in ("q", "k", "v", "output")},
        "blk.0.ffn_norm.weight": (_WIDTH,),
        "blk.0.ffn_gate.weight": up,
        "blk.0.ffn_up.weight": up,
        "blk.0.ffn_down.weight": down,
        "output_norm.weight": (_WIDTH,),
    }
    tensors = {name: (shape, _numbers(source, shape)) for name, shape in shapes.items()}
    rows = (_row(source, token in spoken) for token in range(count))
    last = array("f", (number for row in rows for number in row))
    return {**tensors, "output.weight": ((_WIDTH, count), last)}


def _numbers(source: random.Random, shape: tuple[int, ...]) -> array[float]:
    """Return a norm's ones, or a matrix that keeps its input's size."""
    if len(shape) == 1:
        return array("f", [1.0] * shape[0])
    return array("f", (source.gauss(0, shape[0] ** -0.5) for _ in range(shape[0] * shape[1])))


def _row(source: random.Random, is_spoken: bool) -> Iterable[float]:
    """Return a token's weights in the last layer; zeros are never the best of many."""
    return (source.gauss(0, 1) if is_spoken else 0.0 for _ in range(_WIDTH))


def _tokens() -> list[str]:
    """Return the 256 bytes as GPT-2 writes them, the merged ones, the beginning and the end."""
    merged = [merge.replace(" ", "") for merge in _MERGES]
    return [*_byte_letters(), *merged, "<|begin|>", "<|end|>"]


def _byte_letters() -> list[str]:
    """Return a visible character for each byte: itself where it is one, else from 256 upwards.

    Source: bytes_to_unicode() of https://github.com/openai/gpt-2/blob/master/src/encoder.py.
    """
    visible = {
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), 256),
    }
    others = (byte for byte in range(256) if byte not in visible)
    moved = {byte: 256 + place for place, byte in enumerate(others)}
    return [chr(moved.get(byte, byte)) for byte in range(256)]


def _spoken_tokens(version: str) -> set[int]:
    return {ord(letter) for letter in SPOKEN[version]}


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(value: Value) -> bytes:
    """Return a metadata value with its type before it."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _string(value)
    return struct.pack("<I", 9) + _items(value)


def _items(values: list[str] | list[int]) -> bytes:
    """Return an array's items: their type (8: string, 5: 32-bit integer), their number, they."""
    texts = [each for each in values if isinstance(each, str)]
    if texts:
        return struct.pack("<IQ", 8, len(texts)) + b"".join(_string(each) for each in texts)
    return struct.pack(f"<IQ{len(values)}i", 5, len(values), *values)


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)
