"""What the role knows of a kind of engine: data, and a pure builder of its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roles.inference.settings import EngineSettings

LOOPBACK = "127.0.0.1"
MODEL = "/model"
"""Where a container sees the version that it serves, read only."""
CACHE = "/cache"
"""Where a container may write: kept between starts, so that a restart compiles nothing anew."""


@dataclass(frozen=True)
class Place:
    """Where a slot listens, and which part of a multi-node engine it is."""

    port: int
    grpc_port: int | None = None
    side_port: int | None = None
    rank: int = 0
    """Place of this node in `EngineSettings.nodes`; 0 is the leader."""
    leader_address: str | None = None
    """Where the other nodes reach the leader; None: one node."""
    own_address: str | None = None
    """Where the other nodes reach this one."""


@dataclass(frozen=True)
class Kind:
    """A kind of engine."""

    program: tuple[str, ...]
    """The container's entry point and what always follows it."""
    arguments: Callable[[EngineSettings, Place], list[str]]
    health: Callable[[EngineSettings], str]
    """Path that answers 200 while the engine is ready."""
    metrics: str | None
    """Path of Prometheus metrics on the service's port; None: it has none there."""
    prefix: str
    """What the names of its metrics begin with."""
    owned: Mapping[str, str]
    """Options that extra arguments may not give, each with the field that sets it; an empty one:
    none does, since it would expose the engine or undo what the role promises."""
    abbreviates: bool = False
    """Whether its parser takes the beginning of an option for the option: argparse, getopt_long."""
    lacks: frozenset[str] = frozenset()
    """Fields for which the engine has no option."""
    environment: Mapping[str, str] = field(default_factory=dict)
    busy: tuple[str, ...] = ()
    """Gauges that are zero when no request is in the engine: a stop waits for that."""
    user: str = "0:0"
    """Numeric user and group in the container. Images of GPU engines expect root, which has no
    capability there."""
    read_only: bool = False
    """Whether the engine works on a read-only root."""
    names_model: bool = True
    """Whether GET /v1/models shows the declared name."""
    spans_nodes: bool = False
    """Whether its own runtime spreads over nodes without anything else to start it."""
    legacy: str = ""
    """Why it is not recommended; empty: it is."""


OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""An engine fetches nothing and reports nothing (huggingface_hub, environment variables,
huggingface.co/docs/huggingface_hub/package_reference/environment_variables, read 2026-11-21)."""


def option(name: str, value: object | None) -> list[str]:
    """Return an option with its value; nothing where the value is None."""
    return [] if value is None else [name, str(value)]
