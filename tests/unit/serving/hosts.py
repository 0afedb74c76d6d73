"""Hosts of an inventory, with the roles' own settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from roles.gateway.settings import GatewaySettings
from roles.inference.settings import EngineSettings, InferenceSettings
from roles.models.settings import ModelSettings, ModelsSettings, ModelVersion
from roles.nvidia.settings import NvidiaSettings
from roles.pki.settings import PkiSettings

IMAGE = "registry.example/engine@sha256:" + "a" * 64


@dataclass(frozen=True)
class Host:
    """All that is asked of a pyinfra host."""

    name: str
    data: Mapping[str, Any]


def engine(name: str = "chat", **fields: Any) -> EngineSettings:
    usual = {"image": IMAGE, "model": "llama-3.1-8b", "port": 8100, "gpus": (0,)}
    return EngineSettings(name=name, **{**usual, **fields})


def models(*names: str) -> ModelsSettings:
    version = ModelVersion(version="1", source="file:///m", manifest_sha256="b" * 64)
    return ModelsSettings(
        models=tuple(ModelSettings(name=name, versions=(version,)) for name in names)
    )


def host(
    name: str = "gpu-01", *engines: Any, served: tuple[str, ...] = ("llama-3.1-8b",), **data: Any
) -> Host:
    usual: dict[str, Any] = {
        "inference": InferenceSettings(engines=engines or (engine(),)),
        "models": models(*served),
        "gateway": GatewaySettings(enabled=True),
        "pki": PkiSettings(enabled=True),
        "nvidia": NvidiaSettings(gpu_model="h100_sxm_80", gpu_count=8),
    }
    return Host(name, {**usual, **data})


def only(found: tuple[str, ...]) -> str:
    assert len(found) == 1, found
    return found[0]
