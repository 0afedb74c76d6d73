"""vLLM's OpenAI server: `vllm serve`, from 0.18 on (docs.vllm.ai/en/v0.30.0/cli/serve)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roles.inference.engines.kind import LOOPBACK, MODEL, OFFLINE, Kind, Place, option

if TYPE_CHECKING:
    from roles.inference.settings import EngineSettings

RENDEZVOUS_PORT = 29501
"""Where the nodes of one engine meet: vLLM's own default (--master-port)."""


def arguments(engine: EngineSettings, place: Place) -> list[str]:
    """Return the server's arguments."""
    return [
        MODEL,
        *("--served-model-name", engine.model, *engine.aliases),
        *("--host", LOOPBACK, "--port", str(place.port)),
        *option("--tensor-parallel-size", engine.tensor_degree),
        *option("--pipeline-parallel-size", engine.pipeline_parallel),
        *option("--max-model-len", engine.context_tokens),
        *option("--max-num-seqs", engine.concurrency_max),
        *option("--max-num-queued-reqs", _admitted(engine)),
        *option("--dtype", engine.dtype),
        *option("--quantization", engine.quantization),
        *option("--kv-cache-dtype", engine.kv_cache_dtype),
        *option("--gpu-memory-utilization", engine.memory_utilization),
        # Its default, 0, aborts what it is answering when it is told to stop.
        *option("--shutdown-timeout", engine.drain_seconds),
        "--disable-fastapi-docs",
        *_nodes(engine, place),
    ]


def _admitted(engine: EngineSettings) -> int | None:
    """vLLM's limit is of all requests that it has, those that it answers included."""
    if engine.queue_max is None:
        return None
    return (engine.concurrency_max or 0) + engine.queue_max


def _nodes(engine: EngineSettings, place: Place) -> list[str]:
    if not engine.nodes:
        return []
    return [
        *("--distributed-executor-backend", "mp"),
        *("--nnodes", str(len(engine.nodes)), "--node-rank", str(place.rank)),
        *("--master-addr", str(place.leader_address), "--master-port", str(RENDEZVOUS_PORT)),
        *(("--headless",) if place.rank else ()),
    ]


KIND = Kind(
    program=("vllm", "serve"),
    arguments=arguments,
    health=lambda _: "/health",
    metrics="/metrics",
    prefix="vllm:",
    abbreviates=True,
    owned={
        "--model": "model",
        "--model-tag": "model",
        "--served-model-name": "model, aliases",
        "--host": "",
        "--port": "port",
        "--uds": "",
        "--api-key": "",
        "--config": "",
        "--ssl-keyfile": "",
        "--ssl-certfile": "",
        "--ssl-ca-certs": "",
        "--ssl-cert-reqs": "",
        "--enable-ssl-refresh": "",
        "--ssl-ciphers": "",
        "--root-path": "",
        "--grpc": "",
        "--grpc-port": "",
        "--headless": "nodes",
        "--distributed-executor-backend": "nodes",
        "--nnodes": "nodes",
        "--node-rank": "nodes",
        "--master-addr": "nodes",
        "--master-port": "nodes",
        "--tensor-parallel-size": "tensor_parallel",
        "-tp": "tensor_parallel",
        "--pipeline-parallel-size": "pipeline_parallel",
        "-pp": "pipeline_parallel",
        "--max-model-len": "context_tokens",
        "--max-num-seqs": "concurrency_max",
        "--max-num-queued-reqs": "queue_max",
        "--dtype": "dtype",
        "--quantization": "quantization",
        "-q": "quantization",
        "--kv-cache-dtype": "kv_cache_dtype",
        "--gpu-memory-utilization": "memory_utilization",
        "--shutdown-timeout": "drain_seconds",
    },
    environment={**OFFLINE, "VLLM_NO_USAGE_STATS": "1"},
    spans_nodes=True,
)
