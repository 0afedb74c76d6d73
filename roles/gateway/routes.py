"""What a client may ask for: every path that the gateway knows, with its method and its right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# A model's name in a path: what ".." or an encoded slash would need is not among these letters.
_NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"


@dataclass(frozen=True)
class Route:
    """Paths that are treated alike."""

    name: str
    method: Literal["GET", "POST"]
    condition: str
    """HAProxy's, on the path as it came; compared byte by byte."""
    is_for_admins: bool = False
    is_json: bool = False
    """Whether the body is JSON that names the model."""


_SUBMIT = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/rerank",
    "/v1/score",
)
_LORA = ("/v1/load_lora_adapter", "/v1/unload_lora_adapter")

# triton-inference-server/common, protobuf/grpc_service.proto: the model's name is field 1 of these
# requests, and field 2 of those that load and unload.
_SERVICE = "/inference.GRPCInferenceService"
_GRPC = ("ModelInfer", "ModelStreamInfer", "ModelReady", "ModelMetadata", "ModelConfig")
_GRPC_SERVER = ("ServerLive", "ServerReady", "ServerMetadata")
_GRPC_ADMIN = ("RepositoryModelLoad", "RepositoryModelUnload")


def _exactly(*paths: str) -> str:
    return f"path -m str {' '.join(paths)}"


ROUTES = (
    Route("models", "GET", _exactly("/v1/models")),
    Route("model", "GET", f"path -m reg ^/v1/models/{_NAME}$"),
    Route("submit", "POST", _exactly(*_SUBMIT), is_json=True),
    Route("infer", "POST", f"path -m reg ^/v2/models/{_NAME}/(infer|generate|generate_stream)$"),
    Route("lora", "POST", _exactly(*_LORA), is_for_admins=True),
    Route(
        "repository",
        "POST",
        f"path -m reg ^/v2/repository/models/{_NAME}/(load|unload)$",
        is_for_admins=True,
    ),
    Route("audit", "GET", _exactly("/admin/audit"), is_for_admins=True),
)
GRPC_ROUTES = (
    Route("grpc", "POST", _exactly(*(f"{_SERVICE}/{each}" for each in _GRPC))),
    Route("grpc_server", "POST", _exactly(*(f"{_SERVICE}/{each}" for each in _GRPC_SERVER))),
    Route(
        "grpc_admin",
        "POST",
        _exactly(*(f"{_SERVICE}/{each}" for each in _GRPC_ADMIN)),
        is_for_admins=True,
    ),
)


def routes(*, has_grpc: bool) -> tuple[Route, ...]:
    """Return the routes; gRPC's only where a model has it."""
    return (*ROUTES, *GRPC_ROUTES) if has_grpc else ROUTES
