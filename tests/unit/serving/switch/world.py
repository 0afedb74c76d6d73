"""Engines and gateways in memory: all that outlives the operator's command.

What they do is written down here anew, from what the real programs do: HAProxy sends requests by
weight to servers that are up, an engine reads its version from the state when it starts, and a
request that is under way when its engine stops is cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flightline.serving import state as states
from flightline.serving.layout import Letter
from flightline.serving.state import ServiceState, fresh

MODEL = "tiny"
GIB = 1024 * 1024


@dataclass
class Slot:
    unit: str = "inactive"
    version: str | None = None
    is_enabled: bool = False
    requests: int = 0
    errors: int = 0
    was_up: bool = False
    """Whether it has ended since it ran."""


@dataclass
class World:
    """Everything that outlives the operator's command."""

    services: list[str]
    """`node/name` of each."""
    gateways: list[str]
    memory_kib: int = 64 * GIB
    slots: dict[str, dict[Letter, Slot]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    weights: dict[str, dict[str, int]] = field(default_factory=dict)
    """Per gateway, the weight of each server."""
    links: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    """What a version answers; "fine" where nothing is said."""
    broken: set[str] = field(default_factory=set)
    """Versions that never become ready."""
    failing: set[str] = field(default_factory=set)
    """Versions that answer 500."""
    slow: dict[str, float] = field(default_factory=dict)
    """Seconds to the first token, per version."""
    is_lagging: bool = False
    """Whether gateways go on seeing an engine up that has ended."""
    dead: set[str] = field(default_factory=set)
    """Nodes that do not answer."""
    silent: set[str] = field(default_factory=set)
    """Nodes that answer, with a gateway that does not."""
    commands: int = 0
    interrupt: Callable[[int, str, str], None] = lambda number, node, when: None
    """Called with "before" and "after" each command."""
    watch: Callable[[], None] = lambda: None
    traffic: int = 20
    """Requests that arrive at each gateway between two commands."""
    cut: list[str] = field(default_factory=list)
    """Engines that were stopped while a gateway sent them requests."""
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for key in self.services:
            self.slots[key] = {"a": Slot("active", "v1", True), "b": Slot()}
            self.states[key] = states.dumps(fresh(MODEL, "v1"))
        for gateway in self.gateways:
            self.weights[gateway] = {
                self.server(key, letter): 100 if letter == "a" else 0
                for key in self.services
                for letter in ("a", "b")
            }

    @staticmethod
    def server(key: str, letter: str) -> str:
        node, _, name = key.partition("/")
        return f"{node}.{name}-{letter}"

    def state(self, key: str) -> ServiceState:
        return states.loads(self.states[key], key)

    def is_up(self, server: str) -> bool:
        return self.slot(server).unit == "active"

    def seems_up(self, server: str) -> bool:
        """What gateways say."""
        return self.is_up(server) or (self.is_lagging and self.slot(server).was_up)

    def serves(self) -> bool:
        """Whether a request at any gateway is answered now."""
        return all(
            any(weight > 0 and self.is_up(server) for server, weight in weights.items())
            for weights in self.weights.values()
        )

    def versions(self) -> set[str | None]:
        return {self.state(key).serving for key in self.services}

    def arrive(self) -> None:
        for weights in self.weights.values():
            total = sum(weight for server, weight in weights.items() if self.is_up(server))
            for server, weight in weights.items():
                if total and self.is_up(server):
                    slot = self.slot(server)
                    share = self.traffic * weight // total
                    slot.requests += share
                    slot.errors += share if slot.version in self.failing else 0

    def slot(self, server: str) -> Slot:
        node, _, slot = server.partition(".")
        name, _, letter = slot.rpartition("-")
        return self.slots[f"{node}/{name}"]["a" if letter == "a" else "b"]
