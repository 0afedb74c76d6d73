"""The settings of one node that serving is about, whatever role they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flightline.plan.sizing.engines import Engine
from flightline.serving.upstreams import Service


class Declared(Engine, Service, Protocol):
    """An engine as it is declared."""

    @property
    def side_port(self) -> int | None:
        """First of the ports that it needs besides; None: it needs none."""

    @property
    def config_file(self) -> str | None:
        """The model's config.json on this computer; None: there is none."""

    @property
    def share_gpus(self) -> bool:
        """Whether it may share its GPUs with another service that says so too."""


@dataclass(frozen=True)
class Node:
    """What a node declares; what is missing is as if switched off."""

    name: str
    address: str | None
    """Where other nodes reach it."""
    engines: Sequence[Declared]
    store: str | None
    """Folder of the models, as the engines look for them."""
    models: Sequence[str]
    models_store: str | None
    is_gateway: bool
    """Whether it has a gateway at all, if only with doors for other gateways."""
    is_public: bool
    """Whether clients enter here."""
    peers: Sequence[str]
    """Nodes whose gateways may reach its engines; empty: all."""
    models_of_keys: Mapping[str, Sequence[str]]
    """Models that a key may use, by its name, where not all."""
    gateway_ports: tuple[tuple[str, int], ...]
    has_certificates: bool
    gpu_model: str | None
    gpu_count: int | None
    has_mig: bool

    @property
    def entrances(self) -> tuple[Declared, ...]:
        """Engines where requests enter: not the followers of one that spans nodes."""
        return tuple(each for each in self.engines if each.leader in (None, self.name))


def node_of(host: Any) -> Node:
    """Return the settings of a pyinfra host; one of a wrong type counts as missing."""
    inference, models = host.data.get("inference"), host.data.get("models")
    gateway, nvidia = host.data.get("gateway"), host.data.get("nvidia")
    is_gateway = bool(getattr(gateway, "enabled", False))
    ports = ((name, getattr(gateway, name, None)) for name in ("port", "metrics_port"))
    return Node(
        name=host.name,
        address=host.data.get("serving_address"),
        engines=tuple(getattr(inference, "engines", ())),
        store=getattr(inference, "store", None),
        models=tuple(each.name for each in getattr(models, "models", ())),
        models_store=getattr(models, "store", None),
        is_gateway=is_gateway,
        is_public=is_gateway and bool(getattr(gateway, "public", True)),
        peers=tuple(getattr(gateway, "peers", ())) if is_gateway else (),
        models_of_keys=getattr(gateway, "models_of_keys", {}) if is_gateway else {},
        gateway_ports=tuple((name, port) for name, port in ports if port) if is_gateway else (),
        has_certificates=bool(getattr(host.data.get("pki"), "enabled", False)),
        gpu_model=getattr(nvidia, "gpu_model", None),
        gpu_count=getattr(nvidia, "gpu_count", None),
        has_mig=bool(getattr(nvidia, "mig", None)),
    )
