"""FastChat, legacy: a controller, one worker and an API server in one container (PyPI fschat)."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from roles.inference.engines.kind import LOOPBACK, MODEL, OFFLINE, Kind, Place

if TYPE_CHECKING:
    from roles.inference.settings import EngineSettings


def arguments(engine: EngineSettings, place: Place) -> list[str]:
    """Return the shell command that starts the three; the container ends with the API server."""
    side = place.side_port or 0
    controller, worker = (f"http://{LOOPBACK}:{port}" for port in (side, side + 2))
    names = ",".join((engine.model, *engine.aliases))
    gpus = ("--num-gpus", str(len(engine.gpus))) if engine.gpus else ("--device", "cpu")
    commands = (
        ("fastchat.serve.controller", "--host", LOOPBACK, "--port", str(side)),
        (
            *("fastchat.serve.model_worker", "--model-path", MODEL, "--model-names", names),
            *("--host", LOOPBACK, "--port", str(side + 2), "--worker-address", worker),
            *("--controller-address", controller, *gpus),
        ),
        (
            *("fastchat.serve.openai_api_server", "--host", LOOPBACK, "--port", str(place.port)),
            *("--controller-address", controller),
        ),
    )
    first, second, third = (f"python3 -m {shlex.join(command)}" for command in commands)
    return ["-c", f"{first} & {second} & exec {third}"]


KIND = Kind(
    program=("/bin/sh",),
    arguments=arguments,
    health=lambda _: "/v1/models",
    metrics=None,
    prefix="",
    owned={},
    lacks=frozenset(
        {
            "tensor_parallel", "context_tokens", "concurrency_max", "queue_max", "dtype",
            "quantization", "kv_cache_dtype", "memory_utilization", "grpc_port", "tokenizer",
            "model_file", "extra_arguments",
        }
    ),
    environment=OFFLINE,
    legacy="its last release is of 2024, it has no metrics, and nobody publishes its image",
)  # fmt: skip
