"""Text Generation Inference, legacy (huggingface.co/docs/text-generation-inference)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roles.inference.engines.kind import LOOPBACK, MODEL, OFFLINE, Kind, Place, option

if TYPE_CHECKING:
    from roles.inference.settings import EngineSettings


def arguments(engine: EngineSettings, place: Place) -> list[str]:
    """Return the launcher's arguments."""
    return [
        *("--model-id", MODEL, "--hostname", LOOPBACK, "--port", str(place.port)),
        *option("--num-shard", engine.tensor_degree),
        *option("--max-total-tokens", engine.context_tokens),
        *option("--max-concurrent-requests", _admitted(engine)),
        *option("--dtype", engine.dtype),
        *option("--quantize", engine.quantization),
        *option("--kv-cache-dtype", engine.kv_cache_dtype),
        *option("--cuda-memory-fraction", engine.memory_utilization),
        *("--usage-stats", "off"),
    ]


def _admitted(engine: EngineSettings) -> int | None:
    """The launcher has one limit for what it answers and what waits."""
    if engine.concurrency_max is None:
        return None
    return engine.concurrency_max + (engine.queue_max or 0)


KIND = Kind(
    program=("text-generation-launcher",),
    arguments=arguments,
    health=lambda _: "/health",
    metrics="/metrics",
    prefix="tgi_",
    owned={
        "--model-id": "model",
        "--hostname": "",
        "--port": "port",
        "-p": "port",
        "--api-key": "",
        "--num-shard": "tensor_parallel",
        "--sharded": "tensor_parallel",
        "--max-total-tokens": "context_tokens",
        "--max-concurrent-requests": "concurrency_max, queue_max",
        "--dtype": "dtype",
        "--quantize": "quantization",
        "--kv-cache-dtype": "kv_cache_dtype",
        "--cuda-memory-fraction": "memory_utilization",
        "--usage-stats": "",
        "--ngrok": "",
        "--ngrok-authtoken": "",
        "--prometheus-port": "",
        "--master-addr": "",
    },
    lacks=frozenset({"aliases", "grpc_port", "side_port", "tokenizer", "model_file"}),
    environment=OFFLINE,
    names_model=False,
    legacy="its authors only maintain it and point to vLLM and SGLang",
)
