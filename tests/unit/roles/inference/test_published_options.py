"""Every option that the role gives is one that the engine publishes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from roles.inference.engines import KINDS
from roles.inference.engines.kind import Place
from roles.inference.settings import EngineSettings
from tests.unit.roles.inference.declared import engine

PUBLISHED = Path(__file__).with_name("published_options")
GPUS = {"gpus": (0, 1, 2, 3), "tensor_parallel": 2, "pipeline_parallel": 2}
SIZES = {
    "context_tokens": 8192,
    "concurrency_max": 8,
    "queue_max": 8,
    "dtype": "bfloat16",
    "quantization": "fp8",
    "kv_cache_dtype": "fp8",
    "memory_utilization": 0.5,
}
FULL: dict[str, list[EngineSettings]] = {
    "vllm": [
        engine("vllm", **{**SIZES, **GPUS}),
        engine("vllm", nodes=("a", "b"), tensor_parallel=4),
    ],
    "sglang": [
        engine("sglang", **{**SIZES, **GPUS}),
        engine("sglang", nodes=("a", "b"), tensor_parallel=4),
    ],
    "llamacpp": [
        engine(gpus=(0,), context_tokens=512, concurrency_max=2, kv_cache_dtype="q8_0"),
    ],
    "triton": [
        engine("triton", tokenizer="t", grpc_port=19_000, side_port=20_000),
        engine("triton", frontend="kserve", grpc_port=19_000, side_port=20_000),
        engine("triton", frontend="kserve"),
    ],
    "tensorrt_llm": [
        engine(
            "tensorrt_llm",
            **GPUS,
            context_tokens=8192,
            concurrency_max=8,
            memory_utilization=0.5,
            tokenizer="t",
        )
    ],
    "tgi": [engine("tgi", **SIZES)],
    "fastchat": [engine("fastchat"), engine("fastchat", gpus=(0,))],
}


def published(kind: str) -> tuple[list[str], set[str]]:
    lines = (PUBLISHED / f"{kind}.txt").read_text().splitlines()
    comments = [line for line in lines if line.startswith("#")]
    return comments, set(lines) - set(comments)


def given(declared: EngineSettings) -> set[str]:
    place = Place(18_000, 19_000, 20_000, 1, "10.9.0.1", "10.9.0.2")
    if declared.grpc_port is None:
        place = Place(18_000, None, declared.side_port, 1, "10.9.0.1", "10.9.0.2")
    words = " ".join(declared.kind.arguments(declared, place)).split()
    return {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_is_published(kind: str) -> None:
    _, known = published(kind)
    for declared in FULL[kind]:
        assert not given(declared) - known


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_says_where_it_is_from_and_when_it_was_read(kind: str) -> None:
    head = "\n".join(published(kind)[0])
    assert "https://" in head
    assert "2026-11-21" in head


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "fastchat"])
def test_what_a_field_sets_or_would_expose_cannot_be_given_besides(kind: str) -> None:
    owned = {name for name in KINDS[kind].owned if name.startswith("--")}
    free = {"--disable-fastapi-docs", "--strict-readiness"}
    for declared in FULL[kind]:
        assert not given(declared) - owned - free


@pytest.mark.parametrize("kind", KINDS)
def test_every_address_given_is_loopback_or_the_nodes_own(kind: str) -> None:
    place = Place(18_000, 19_000, 20_000, 1, "10.9.0.1", "10.9.0.2")
    for declared in FULL[kind]:
        text = " ".join(declared.kind.arguments(declared, place))
        assert "127.0.0.1" in text
        found = set(re.findall(r"[0-9]+(?:\.[0-9]+){3}", text))
        assert found <= ({"127.0.0.1", "10.9.0.1"} if declared.nodes else {"127.0.0.1"})
