"""llama.cpp's llama-server (github.com/ggml-org/llama.cpp, tools/server/README.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roles.inference.engines.kind import LOOPBACK, MODEL, Kind, Place, option

if TYPE_CHECKING:
    from roles.inference.settings import EngineSettings


def arguments(engine: EngineSettings, place: Place) -> list[str]:
    """Return the server's arguments."""
    return [
        *("--model", f"{MODEL}/{engine.model_file}"),
        *("--alias", ",".join((engine.model, *engine.aliases))),
        *("--host", LOOPBACK, "--port", str(place.port)),
        *option("--ctx-size", _context(engine)),
        *option("--parallel", engine.concurrency_max),
        *option("--cache-type-k", engine.kv_cache_dtype),
        *option("--cache-type-v", engine.kv_cache_dtype),
        *(("--n-gpu-layers", "all") if engine.gpus else ()),
        "--metrics",
        "--offline",
    ]


def _context(engine: EngineSettings) -> int | None:
    """The server divides its context between the requests that it answers at a time."""
    if engine.context_tokens is None:
        return None
    return engine.context_tokens * (engine.concurrency_max or 1)


KIND = Kind(
    program=("/app/llama-server",),
    arguments=arguments,
    health=lambda _: "/health",
    metrics="/metrics",
    prefix="llamacpp:",
    owned={
        "--model": "model_file",
        "-m": "model_file",
        "--model-url": "",
        "-mu": "",
        "--hf-repo": "",
        "-hf": "",
        "-hfr": "",
        "--docker-repo": "",
        "-dr": "",
        "--models-dir": "",
        "--models-preset": "",
        "--alias": "model, aliases",
        "-a": "model, aliases",
        "--host": "",
        "--port": "port",
        "--reuse-port": "",
        "--api-key": "",
        "--api-key-file": "",
        "--ssl-key-file": "",
        "--ssl-cert-file": "",
        "--api-prefix": "",
        "--path": "",
        "--rpc": "",
        # Each lets a request do more than be answered: run programs, read files, change the server.
        "--tools": "",
        "--tools-runtime": "",
        "--agent": "",
        "-ag": "",
        "--mcp-servers-config": "",
        "--mcp-servers-json": "",
        "--ui-mcp-proxy": "",
        "--webui-mcp-proxy": "",
        "--props": "",
        "--media-path": "",
        "--slot-save-path": "",
        "--ctx-size": "context_tokens",
        "-c": "context_tokens",
        "--parallel": "concurrency_max",
        "-np": "concurrency_max",
        "--cache-type-k": "kv_cache_dtype",
        "-ctk": "kv_cache_dtype",
        "--cache-type-v": "kv_cache_dtype",
        "-ctv": "kv_cache_dtype",
        "--n-gpu-layers": "gpus",
        "--gpu-layers": "gpus",
        "-ngl": "gpus",
        "--metrics": "",
        "--offline": "",
    },
    lacks=frozenset(
        {
            "tensor_parallel", "queue_max", "dtype", "quantization", "memory_utilization",
            "grpc_port", "side_port", "tokenizer",
        }
    ),
    busy=("llamacpp:requests_processing", "llamacpp:requests_deferred"),
    user="65534:65534",
    read_only=True,
)  # fmt: skip
