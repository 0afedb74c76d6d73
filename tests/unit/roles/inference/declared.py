"""Declared engines, as tests want them."""

from __future__ import annotations

from typing import Any

from roles.inference.settings import EngineSettings

DIGEST = "a" * 64
IMAGE = f"registry.example.org/engines/engine@sha256:{DIGEST}"
GPUS: dict[str, Any] = {"gpus": (0, 1)}
NEEDS: dict[str, dict[str, Any]] = {
    "vllm": GPUS,
    "sglang": GPUS,
    "llamacpp": {},
    "triton": GPUS,
    "tensorrt_llm": GPUS,
    "tgi": GPUS,
    "fastchat": {"side_port": 21_000},
}
"""What each kind needs besides a name, an image, a model and a port."""


def engine(kind: str = "llamacpp", **values: Any) -> EngineSettings:
    given = {
        "name": "chat",
        "engine": kind,
        "image": IMAGE,
        "model": "tiny",
        "port": 18_000,
        **NEEDS[kind],
        **values,
    }
    return EngineSettings(**given)
