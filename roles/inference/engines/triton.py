"""Triton Inference Server: its OpenAI frontend, or KServe's HTTP and gRPC alone.

A version of the model is a whole model repository: `<model>/config.pbtxt` and `<model>/1/...`, for
the vLLM or the TensorRT-LLM backend (docs.nvidia.com/deeplearning/triton-inference-server).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roles.inference.engines.kind import LOOPBACK, MODEL, OFFLINE, Kind, Place, option

if TYPE_CHECKING:
    from roles.inference.settings import EngineSettings

_FRONTEND = "/opt/tritonserver/python/openai/openai_frontend/main.py"


def arguments(engine: EngineSettings, place: Place) -> list[str]:
    """Return the arguments of the chosen frontend; the program is theirs too."""
    if engine.frontend == "openai":
        return [
            *("python3", _FRONTEND, "--model-repository", MODEL, "--host", LOOPBACK),
            *("--openai-port", str(place.port)),
            *option("--tokenizer", engine.tokenizer and f"{MODEL}/{engine.tokenizer}"),
            *_kserve(place),
        ]
    return [
        *("tritonserver", f"--model-repository={MODEL}", "--strict-readiness=true"),
        *(f"--http-address={LOOPBACK}", f"--http-port={place.port}"),
        *_grpc(place),
        *_metrics(place),
        f"--exit-timeout-secs={engine.drain_seconds}",
    ]


def _kserve(place: Place) -> list[str]:
    if place.grpc_port is None:
        return []
    return [
        "--enable-kserve-frontends",
        *("--kserve-http-port", str(place.side_port)),
        *("--kserve-grpc-port", str(place.grpc_port)),
    ]


def _grpc(place: Place) -> list[str]:
    if place.grpc_port is None:
        return ["--allow-grpc=false"]
    return [f"--grpc-address={LOOPBACK}", f"--grpc-port={place.grpc_port}"]


def _metrics(place: Place) -> list[str]:
    if place.side_port is None:
        return ["--allow-metrics=false"]
    return [f"--metrics-address={LOOPBACK}", f"--metrics-port={place.side_port}"]


KIND = Kind(
    # The image's own entry point only prints a banner and runs what follows.
    program=("/opt/nvidia/nvidia_entrypoint.sh",),
    arguments=arguments,
    health=lambda engine: "/health/ready" if engine.frontend == "openai" else "/v2/health/ready",
    metrics="/metrics",
    prefix="nv_",
    abbreviates=True,
    owned={
        "--model-repository": "model",
        "--model-store": "model",
        "--host": "",
        "--openai-port": "port",
        "--enable-kserve-frontends": "grpc_port",
        "--kserve-http-port": "side_port",
        "--kserve-grpc-port": "grpc_port",
        "--openai-restricted-api": "",
        "--http-address": "",
        "--http-port": "port",
        "--allow-http": "",
        "--allow-grpc": "grpc_port",
        "--grpc-address": "",
        "--grpc-port": "grpc_port",
        "--allow-metrics": "side_port",
        "--metrics-address": "",
        "--metrics-port": "side_port",
        "--allow-sagemaker": "",
        "--sagemaker-port": "",
        "--allow-vertex-ai": "",
        "--vertex-ai-port": "",
        "--model-control-mode": "",
        "--grpc-use-ssl": "",
        "--grpc-use-ssl-mutual": "",
        "--grpc-server-cert": "",
        "--grpc-server-key": "",
        "--grpc-root-cert": "",
        "--exit-timeout-secs": "drain_seconds",
        "--tokenizer": "tokenizer",
    },
    # What a backend needs of these is in the model's config.pbtxt and model.json.
    lacks=frozenset(
        {
            "aliases", "tensor_parallel", "context_tokens", "concurrency_max", "queue_max",
            "dtype", "quantization", "kv_cache_dtype", "memory_utilization", "model_file",
        }
    ),
    environment={**OFFLINE, "VLLM_NO_USAGE_STATS": "1"},
)  # fmt: skip
