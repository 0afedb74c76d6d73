"""Which engines serve which models on a node."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from flightline.settings import PlainPath, Settings
from roles.inference import rules
from roles.inference.engines import KINDS, Kind

EngineKind = Literal["vllm", "sglang", "llamacpp", "triton", "tensorrt_llm", "tgi", "fastchat"]

_MODEL = r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$"
_WORD = r"^[A-Za-z0-9_.-]+$"
_INSIDE = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$"


class EngineSettings(Settings):
    """A service: one model, served by one engine on one node."""

    name: str = Field(pattern=r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$")
    """The service's name, once on a node: units and containers are called after it."""

    engine: EngineKind = "vllm"
    """The program that serves; vLLM by default. tgi and fastchat are legacy."""

    image: str
    """Container image, pinned: REGISTRY/REPOSITORY@sha256:DIGEST. A tag may move under a node."""

    program: PlainPath | None = Field(default=None, pattern=r"^(/[A-Za-z0-9._+-]+)+$")
    """Path of the engine in the image, such as /usr/bin/llama-server. None: where the engine's own
    image has it."""

    model: str = Field(pattern=_MODEL)
    """A model of ModelsSettings.models."""

    aliases: tuple[str, ...] = ()
    """Other names that clients may use for the model."""

    model_file: str = Field(default="model.gguf", pattern=_INSIDE)
    """File of the version that llama.cpp opens: it wants a file, others a folder."""

    tokenizer: str | None = Field(default=None, pattern=_INSIDE)
    """Folder of the version that holds the tokenizer (Triton's OpenAI frontend, TensorRT-LLM).
    None: the engine finds it, or needs none."""

    frontend: Literal["openai", "kserve"] = "openai"
    """What Triton offers on `port`: the OpenAI API (default, as all other engines), or KServe's
    HTTP. gRPC comes with either, where grpc_port is set."""

    port: int = Field(ge=1024, le=65_534)
    """Loopback port of the service's slot a; slot b has the next one."""

    grpc_port: int | None = Field(default=None, ge=1024, le=65_534)
    """The same for gRPC (Triton). None: the service has no gRPC."""

    side_port: int | None = Field(default=None, ge=1024, le=65_532)
    """The same for what an engine needs besides: Triton's metrics or KServe HTTP (two ports),
    FastChat's controller and worker (four). None: no such port."""

    gpus: tuple[int, ...] = ()
    """Indexes of the GPUs that are the service's own. Empty: the engine runs on the CPU."""

    share_gpus: bool = False
    """Whether another service that says so too may have the same GPUs. False: a GPU given twice is
    refused; each engine takes its memory whole."""

    tensor_parallel: int | None = Field(default=None, ge=1, le=1024)
    """GPUs over which each layer is split. None: all GPUs of the service, over its stages."""

    pipeline_parallel: int | None = Field(default=None, ge=1, le=64)
    """Stages of layers, one after the other. None: one."""

    nodes: tuple[str, ...] = ()
    """Nodes, as the inventory names them, that one engine spans, each with the same settings; the
    first leads and takes the requests. Each needs `serving_address` in the inventory, on a network
    of its own: engines do not encrypt what they say to each other. Empty: one node."""

    rdma: bool = False
    """Whether the container gets /dev/infiniband and /etc/nccl.conf, for an engine over nodes."""

    context_tokens: int | None = Field(default=None, ge=1, le=1_000_000_000)
    """Longest prompt with its answer, in tokens. None: what the model can do."""

    concurrency_max: int | None = Field(default=None, ge=1, le=1_000_000)
    """Requests answered at a time. None: the engine's default."""

    queue_max: int | None = Field(default=None, ge=1)
    """Requests that may wait; one more is answered 503. None: the engine's default, mostly without
    an end."""

    dtype: str | None = Field(default=None, pattern=_WORD)
    """Numbers of weights and activations, such as bfloat16. None: as the model has them."""

    quantization: str | None = Field(default=None, pattern=_WORD)
    """How weights are quantised, such as fp8 or awq. None: as the model says."""

    kv_cache_dtype: str | None = Field(default=None, pattern=_WORD)
    """Numbers of the KV cache, such as fp8, or q8_0 with llama.cpp. None: as the activations."""

    memory_utilization: float | None = Field(default=None, gt=0, le=0.98)
    """The engine's own memory setting: for vLLM and TGI the share of each GPU that it takes; SGLang
    takes its graphs beside it; for TensorRT-LLM the share of what the weights leave. Two slots side
    by side need less than half of each GPU in all. None: the engine's default, 0.9 or so."""

    shm_gib: int = Field(default=16, ge=1, le=1024)
    """Shared memory in GiB, which tensor parallelism uses; 64 MiB is Docker's default, and too
    little. Only what is used counts."""

    extra_arguments: tuple[str, ...] = ()
    """Further arguments, in order. Those that a field sets, or that would expose the engine, are
    refused."""

    environment: Mapping[str, str] = {}
    """Further variables. Secrets are refused: everyone who may ask Docker can read them."""

    secret_files: Mapping[str, PlainPath] = {}
    """Secrets by name: a file on the node that the container sees as /run/secrets/NAME."""

    user: str | None = Field(default=None, pattern=r"^[0-9]+:[0-9]+$")
    """Numeric user and group in the container. None: root without capabilities, or nobody where
    the engine is known to run so (llama.cpp)."""

    read_only_root: bool | None = None
    """Whether the container's root cannot be written. None: where the engine is known to run so."""

    start_timeout_seconds: int = Field(default=1800, ge=10, le=7200)
    """How long a start may take until the engine is ready: 140 GB from a disk of 0.3 GB/s take 8
    minutes, and compiling its graphs a few more."""

    drain_seconds: int = Field(default=120, ge=0, le=3600)
    """How long a stop waits for answers under way before it cuts them."""

    config_file: str | None = Field(default=None, min_length=1)
    """The model's config.json on this computer, for sizing. None: its fit is not judged."""

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        if problem := rules.engine_problem(self):
            raise ValueError(problem)
        return self

    @property
    def kind(self) -> Kind:
        """What the role knows of the engine."""
        return KINDS[self.engine]

    @property
    def tensor_degree(self) -> int | None:
        """GPUs over which each layer is split; None on a CPU."""
        every = len(self.gpus) * max(len(self.nodes), 1)
        return self.tensor_parallel or (every // (self.pipeline_parallel or 1) or None)

    @property
    def health_path(self) -> str:
        """Answers 200 while the engine is ready."""
        return self.kind.health(self)

    @property
    def metrics_path(self) -> str | None:
        """Prometheus metrics on the service's port; None: the engine has none there."""
        return self.kind.metrics

    @property
    def leader(self) -> str | None:
        """The node where requests enter; None: every node that declares the service."""
        return self.nodes[0] if self.nodes else None


class InferenceSettings(Settings):
    """The node's engines."""

    engines: tuple[EngineSettings, ...] = ()
    """The services; empty, the default: nothing is installed and nothing is touched."""

    store: PlainPath = Field(default="/srv/models", pattern=r"^(/[A-Za-z0-9._-]+)+$")
    """Folder of the models, as ModelsSettings.store."""

    restart_allowed: bool = False
    """Whether a converge may restart a running engine whose declaration changed, and drain and
    remove one that is declared no more. False, the default: it refuses and says what would change;
    a version is changed by `flightline model switch`, without this."""

    gpu_injection: Literal["cdi", "runtime"] = "cdi"
    """How containers get GPUs: by CDI (Docker 25 and later), or by NVIDIA's runtime, which older
    ones need."""

    registry_config: PlainPath | None = Field(default=None, pattern=r"^(/[A-Za-z0-9._-]+)+$")
    """Folder on the node with Docker's config.json, mode 600, that holds the registry's
    credentials. None: root's own, /root/.docker."""

    pull_timeout_seconds: int = Field(default=3600, ge=60, le=14_400)
    """How long one image may take to be pulled: 15 GB at 100 Mbit/s take 20 minutes."""

    log_max_mib: int = Field(default=50, ge=1, le=10_240)
    """Size in MiB of one log file of an engine; five are kept."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if problem := rules.node_problem(self.engines):
            raise ValueError(problem)
        return self

    def warnings(self, today: datetime.date) -> tuple[str, ...]:
        """Return what is unwise: legacy engines."""
        del today
        return tuple(
            f"{each.name} runs {each.engine}, which is legacy: "
            f"{each.kind.legacy}; plan its move to vllm or sglang."
            for each in self.engines
            if each.kind.legacy
        )
