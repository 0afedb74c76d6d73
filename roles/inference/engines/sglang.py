"""SGLang's server (docs.sglang.io/advanced_features/server_arguments.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roles.inference.engines.kind import LOOPBACK, MODEL, OFFLINE, Kind, Place, option

if TYPE_CHECKING:
    from roles.inference.settings import EngineSettings

RENDEZVOUS_PORT = 20000
"""Where the nodes of one engine meet: as in SGLang's own examples."""


def arguments(engine: EngineSettings, place: Place) -> list[str]:
    """Return the server's arguments."""
    return [
        *("--model-path", MODEL, "--served-model-name", engine.model),
        *("--host", LOOPBACK, "--port", str(place.port)),
        *option("--tp-size", engine.tensor_degree),
        *option("--pp-size", engine.pipeline_parallel),
        *option("--context-length", engine.context_tokens),
        *option("--max-running-requests", engine.concurrency_max),
        *option("--max-queued-requests", engine.queue_max),
        *option("--dtype", engine.dtype),
        *option("--quantization", engine.quantization),
        *option("--kv-cache-dtype", engine.kv_cache_dtype),
        *option("--mem-fraction-static", engine.memory_utilization),
        "--enable-metrics",
        *_nodes(engine, place),
    ]


def _nodes(engine: EngineSettings, place: Place) -> list[str]:
    if not engine.nodes:
        return []
    return [
        *("--dist-init-addr", f"{place.leader_address}:{RENDEZVOUS_PORT}"),
        *("--nnodes", str(len(engine.nodes)), "--node-rank", str(place.rank)),
    ]


KIND = Kind(
    program=("python3", "-m", "sglang.launch_server"),
    arguments=arguments,
    health=lambda _: "/health",
    metrics="/metrics",
    prefix="sglang:",
    abbreviates=True,
    owned={
        "--model-path": "model",
        "--model": "model",
        "--served-model-name": "model",
        "--config": "",
        "--host": "",
        "--port": "port",
        "--grpc-mode": "",
        "--api-key": "",
        "--admin-api-key": "",
        "--ssl-keyfile": "",
        "--ssl-certfile": "",
        "--ssl-ca-certs": "",
        "--ssl-keyfile-password": "",
        "--enable-metrics": "",
        "--tp-size": "tensor_parallel",
        "--tp": "tensor_parallel",
        "--tensor-parallel-size": "tensor_parallel",
        "--pp-size": "pipeline_parallel",
        "--pipeline-parallel-size": "pipeline_parallel",
        "--context-length": "context_tokens",
        "--max-running-requests": "concurrency_max",
        "--max-queued-requests": "queue_max",
        "--dtype": "dtype",
        "--quantization": "quantization",
        "--kv-cache-dtype": "kv_cache_dtype",
        "--mem-fraction-static": "memory_utilization",
        "--dist-init-addr": "nodes",
        "--nnodes": "nodes",
        "--node-rank": "nodes",
    },
    lacks=frozenset({"aliases", "grpc_port", "side_port", "tokenizer", "model_file"}),
    environment=OFFLINE,
    busy=("sglang:num_running_reqs", "sglang:num_queue_reqs"),
    spans_nodes=True,
)
