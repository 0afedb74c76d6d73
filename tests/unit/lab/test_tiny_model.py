"""The tiny model is a GGUF file as the format's own document describes it, and tells its version.

Read back by a reader of the test's own; that an engine loads it is proven in tests/lab.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import pytest

from flightline.lab import tiny_model

NUMBERS = {4: "<I", 5: "<i", 6: "<f", 7: "<?"}


@dataclass
class Gguf:
    keys: dict[str, Any]
    tensors: dict[str, tuple[tuple[int, ...], bytes]]


def read(content: bytes) -> Gguf:
    """Read a GGUF file of version 3 with 32-bit floats."""
    file = io.BytesIO(content)

    def number(form: str) -> Any:
        return struct.unpack(form, file.read(struct.calcsize(form)))[0]

    def text() -> str:
        return file.read(number("<Q")).decode()

    def value(kind: int) -> Any:
        if kind == 8:
            return text()
        if kind == 9:
            of, count = number("<I"), number("<Q")
            return [value(of) for _ in range(count)]
        return number(NUMBERS[kind])

    assert file.read(4) == b"GGUF"
    assert number("<I") == 3
    tensors, keys = number("<Q"), number("<Q")
    found = {text(): value(number("<I")) for _ in range(keys)}
    places = []
    for _ in range(tensors):
        name, dimensions = text(), number("<I")
        shape = tuple(number("<Q") for _ in range(dimensions))
        assert number("<I") == 0
        places.append((name, shape, number("<Q")))
    start = -(-file.tell() // 32) * 32
    data = {}
    for name, shape, offset in places:
        size = 4
        for each in shape:
            size *= each
        assert offset % 32 == 0
        data[name] = (shape, content[start + offset : start + offset + size])
        assert len(data[name][1]) == size
    return Gguf(found, data)


@pytest.mark.parametrize("version", tiny_model.SPOKEN)
def test_the_same_version_is_the_same_file_everywhere(version: str) -> None:
    assert tiny_model.gguf(version) == tiny_model.gguf(version)
    assert len(tiny_model.gguf(version)) < 2**20


def test_versions_differ() -> None:
    one, two = (tiny_model.gguf(version) for version in ("1", "2"))
    assert one != two


@pytest.mark.parametrize("version", tiny_model.SPOKEN)
def test_every_byte_has_a_token_and_every_token_a_type(version: str) -> None:
    keys = read(tiny_model.gguf(version)).keys
    tokens = keys["tokenizer.ggml.tokens"]
    assert len(set(tokens)) == len(tokens) == len(keys["tokenizer.ggml.token_type"])
    assert len([token for token in tokens if len(token) == 1]) == 256
    assert keys["general.name"] == f"tiny {version}"
    assert "message['content']" in keys["tokenizer.chat_template"]


@pytest.mark.parametrize(("version", "letters"), tiny_model.SPOKEN.items())
def test_only_the_letters_of_the_version_have_weights_in_the_last_layer(
    version: str, letters: str
) -> None:
    model = read(tiny_model.gguf(version))
    (width, count), data = model.tensors["output.weight"]
    tokens = model.keys["tokenizer.ggml.tokens"]
    rows = [data[4 * width * row : 4 * width * (row + 1)] for row in range(count)]
    spoken = {token for token, row in zip(tokens, rows, strict=True) if any(row)}
    assert spoken == set(letters)


def test_shapes_are_those_of_the_keys() -> None:
    model = read(tiny_model.gguf("1"))
    width = model.keys["llama.embedding_length"]
    count = len(model.keys["tokenizer.ggml.tokens"])
    assert model.tensors["token_embd.weight"][0] == (width, count)
    assert model.tensors["blk.0.attn_q.weight"][0] == (width, width)
    assert model.tensors["blk.0.ffn_down.weight"][0] == (
        model.keys["llama.feed_forward_length"],
        width,
    )
