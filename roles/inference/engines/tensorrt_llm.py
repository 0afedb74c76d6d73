"""TensorRT-LLM's `trtllm-serve` (nvidia.github.io/TensorRT-LLM/commands/trtllm-serve)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roles.inference.engines.kind import LOOPBACK, MODEL, OFFLINE, Kind, Place, option

if TYPE_CHECKING:
    from roles.inference.settings import EngineSettings


def arguments(engine: EngineSettings, place: Place) -> list[str]:
    """Return the server's arguments."""
    return [
        MODEL,
        *("--host", LOOPBACK, "--port", str(place.port)),
        *option("--tp_size", engine.tensor_degree),
        *option("--pp_size", engine.pipeline_parallel),
        *option("--max_seq_len", engine.context_tokens),
        *option("--max_batch_size", engine.concurrency_max),
        *option("--kv_cache_free_gpu_memory_fraction", engine.memory_utilization),
        *option("--tokenizer", engine.tokenizer and f"{MODEL}/{engine.tokenizer}"),
    ]


KIND = Kind(
    program=("trtllm-serve",),
    arguments=arguments,
    health=lambda _: "/health",
    # /metrics is a JSON of iterations; Prometheus has a path of its own.
    metrics="/prometheus/metrics",
    prefix="trtllm_",
    owned={
        "--host": "",
        "--port": "port",
        "--grpc": "",
        "--served_model_name": "",
        "--server_role": "",
        "--metadata_server_config_file": "",
        "--disagg_cluster_uri": "",
        "--tp_size": "tensor_parallel",
        "--tensor_parallel_size": "tensor_parallel",
        "--pp_size": "pipeline_parallel",
        "--pipeline_parallel_size": "pipeline_parallel",
        "--max_seq_len": "context_tokens",
        "--max_batch_size": "concurrency_max",
        "--kv_cache_free_gpu_memory_fraction": "memory_utilization",
        "--free_gpu_memory_fraction": "memory_utilization",
        "--tokenizer": "tokenizer",
    },
    lacks=frozenset(
        {
            "aliases", "queue_max", "dtype", "quantization", "kv_cache_dtype", "grpc_port",
            "side_port", "model_file",
        }
    ),
    environment=OFFLINE,
    # Releases before 1.2 have no option for it and show the folder's name: /model.
    names_model=False,
)  # fmt: skip
