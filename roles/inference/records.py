"""A node's engines as they are: units, containers, answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flightline.serving.state import ServiceState


@dataclass(frozen=True)
class Unit:
    """A slot's unit, as systemd has it."""

    active: str
    enabled: str
    restarts: int


@dataclass(frozen=True)
class Container:
    """A container as docker has it; only those of the role are told in full."""

    name: str
    slot: str
    """Empty for a container that is not of the role."""
    is_running: bool
    gpus: frozenset[str] = frozenset()
    """Indexes, as it was given them."""
    labels: Mapping[str, str] = field(default_factory=dict)
    host: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    mounts: Sequence[Mapping[str, Any]] = ()
    image: str = ""
    """Id of the image that it runs."""
    arguments: tuple[str, ...] = ()
    """Entry point and arguments; values that may be secrets are hidden."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Names of its variables; the values of those that keep it offline."""

    @property
    def version(self) -> str:
        """The version that it was started with."""
        return self.labels.get("flightline.version", "")


@dataclass(frozen=True)
class Live:
    """The node's engines."""

    has_docker: bool
    states: Mapping[str, ServiceState | str]
    """By service; a sentence where a state cannot be read."""
    units: Mapping[str, Unit]
    containers: tuple[Container, ...]
    images: Mapping[str, str]
    """Ids of declared images that are there, by declaration."""
    listening: tuple[str, ...]
    """address:port of every listener on a port of a slot."""
    links: Mapping[str, str]
    """The current version, by model."""
    verified: frozenset[tuple[str, str]]
    """Models and versions whose files were found to be as their manifest says."""
    health: Mapping[str, str]
    """Status of the health path, by slot; 000 without an answer."""
    models: Mapping[str, tuple[str, ...]]
    """Names that GET /v1/models shows, by slot."""
    processes: Mapping[tuple[str, str], str]
    """memlock, shm (KiB) and gpus of a slot's first process, as the kernel has them."""

    @property
    def ours(self) -> dict[str, Container]:
        """The role's containers that run, by slot."""
        return {each.slot: each for each in self.containers if each.slot and each.is_running}
