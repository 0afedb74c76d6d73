"""Declared engines held against the GPUs of their nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flightline import catalog
from flightline.serving import declared
from roles.nvidia.settings import NvidiaSettings
from tests.unit.serving.hosts import engine, host, only


def test_an_engine_that_does_not_fit_is_refused_with_what_would() -> None:
    large = engine(model="llama-3.1-70b", dtype="bfloat16", context_tokens=8192)
    found = only(declared.problems([host("gpu-01", large, served=("llama-3.1-70b",))]))
    assert found.startswith("gpu-01: chat: llama-3.1-70b does not fit: each GPU needs 133.9 GiB")
    assert "Would fit: weights in int4 (4.15625 bits); 2 GPUs in a node" in found
    spread = large.model_copy(update={"gpus": (0, 1, 2, 3)})
    assert declared.problems([host("gpu-01", spread, served=("llama-3.1-70b",))]) == ()


def test_a_config_file_is_judged_rather_than_the_name(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(catalog.model("llama-3.1-405b").config))
    named = engine(config_file=str(path), context_tokens=4096)
    assert "does not fit" in only(declared.problems([host("gpu-01", named)]))
    path.write_text("{}")
    found = only(declared.problems([host("gpu-01", named)]))
    assert "gpu-01: chat: EngineSettings.config_file: " in found and "it lacks model_type" in found


@pytest.mark.parametrize(
    ("changed", "data", "expected"),
    [
        ({"model": "own"}, {}, "name its config.json in EngineSettings.config_file"),
        ({}, {"nvidia": NvidiaSettings()}, "the node's GPU is not declared"),
        (
            {},
            {"nvidia": NvidiaSettings(gpu_model="h100_sxm_80", mig=("3g.40gb", "3g.40gb"))},
            "its GPUs are divided by MIG",
        ),
        ({"kv_cache_dtype": "int2"}, {}, "kv_cache_dtype is int2"),
        ({"quantization": "torchao"}, {}, "how many bits quantization=torchao leaves is unknown"),
    ],
)
def test_what_is_not_judged_is_said(
    changed: dict[str, Any], data: dict[str, Any], expected: str
) -> None:
    node = host("gpu-01", engine(**changed), served=("llama-3.1-8b", "own"), **data)
    assert declared.problems([node]) == ()
    assert f"whether it fits is not judged: {expected}" in only(declared.warnings([node]))


def test_an_engine_on_the_cpu_is_no_warning() -> None:
    node = host("gpu-01", engine(engine="llamacpp", gpus=()))
    assert declared.warnings([node]) == ()
    assert "the node's memory is not declared" in only(declared.notes([node]))


def test_old_and_new_side_by_side_is_a_note() -> None:
    usual = only(declared.notes([host()]))
    assert usual.startswith("gpu-01: chat: old and new version cannot stand side by side")
    assert "0.92 + 0.92 of GPU 0" in usual and "memory_utilization of at most 0.49" in usual
    half = engine(memory_utilization=0.48, context_tokens=8192)
    assert "can stand side by side" in only(declared.notes([host("gpu-01", half)]))


def test_engines_on_one_gpu_are_counted_with_all_that_they_take() -> None:
    fields: dict[str, Any] = {"share_gpus": True, "engine": "tensorrt_llm", "context_tokens": 4096}
    pair = [
        engine(name, port=port, memory_utilization=0.45, **fields)
        for name, port in (("chat", 8100), ("code", 8200))
    ]
    found = only(declared.problems([host("gpu-01", *pair)]))
    assert "would be taken 1.13 times (chat 0.567 + code 0.567)" in found
    less = [each.model_copy(update={"memory_utilization": 0.3}) for each in pair]
    assert declared.problems([host("gpu-01", *less)]) == ()


def test_a_divided_gpu_promises_nothing_side_by_side() -> None:
    divided = NvidiaSettings(gpu_model="h100_sxm_80", mig=("3g.40gb", "3g.40gb"))
    small = engine(engine="sglang", memory_utilization=0.4, context_tokens=4096)
    told = only(declared.notes([host("gpu-01", small, nvidia=divided)]))
    assert "are not known to be able to stand side by side: what sglang takes" in told
