"""Which engines serve which models on a node."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flightline.settings import Settings

EngineKind = Literal["vllm", "sglang", "llamacpp", "triton", "tensorrt_llm", "tgi", "fastchat"]


class EngineSettings(Settings):
    """A service: one model, served by one engine on one node."""

    name: str = Field(pattern=r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$")
    """The service's name, once on a node: units and containers are called after it."""

    engine: EngineKind = "vllm"
    """The program that serves; vLLM by default. tgi and fastchat are legacy."""

    image: str
    """Container image, pinned: REGISTRY/REPOSITORY@sha256:DIGEST."""

    model: str
    """A model of ModelsSettings.models."""

    aliases: tuple[str, ...] = ()
    """Other names that clients may use for the model."""

    port: int = Field(ge=1024, le=65_534)
    """Loopback port of the service's slot a; slot b has the next one."""

    grpc_port: int | None = Field(default=None, ge=1024, le=65_534)
    """The same for gRPC (Triton). None: the service has no gRPC."""

    gpus: tuple[int, ...] = ()
    """Indexes of the GPUs that are the service's own. Empty: the engine runs on the CPU."""

    @property
    def health_path(self) -> str:
        """Answers 200 while the engine is ready."""
        return "/health"

    @property
    def is_entrance(self) -> bool:
        """Whether requests enter here."""
        return True


class InferenceSettings(Settings):
    """The node's engines."""

    engines: tuple[EngineSettings, ...] = ()
    """The services; empty, the default: nothing is installed and nothing is touched."""

    store: str = "/srv/models"
    """Folder of the models, as ModelsSettings.store."""
