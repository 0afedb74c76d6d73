"""What runs on a node now: one remote command."""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from flightline.errors import FlightlineError, NodeRefused
from flightline.serving import layout, state
from flightline.serving.state import ServiceState

_UNIT, _UNIT_END = "flightline-engine@", ".service"


@dataclass(frozen=True)
class Running:
    """A container of the role, running or ended."""

    is_running: bool
    declaration: str
    """Digest of the arguments that it was made with."""
    version: str


@dataclass(frozen=True)
class Serving:
    """What the node serves with."""

    has_curl: bool
    docker: str
    """dockerd's version; empty while it does not run or answer."""
    states: Mapping[str, ServiceState]
    """By service."""
    units: Mapping[str, str] = field(default_factory=dict)
    """ActiveState by slot, of the units that systemd knows."""
    enabled: frozenset[str] = frozenset()
    """Slots whose unit starts at boot."""
    containers: Mapping[str, Running] = field(default_factory=dict)
    """By slot."""
    images: frozenset[str] = frozenset()
    """Those asked for that are there."""

    def is_active(self, slot: str) -> bool:
        """Whether the slot's unit runs, and is ready."""
        return self.units.get(slot) == "active"

    def is_up(self, slot: str) -> bool:
        """Whether the slot's unit or container runs, ready or not."""
        running = self.containers.get(slot)
        return self.units.get(slot) in ("active", "activating", "reloading") or bool(
            running and running.is_running
        )


class Node(FactBase[Serving | None]):
    """States, units, containers and images; None when the node could not be asked."""

    def command(self, images: Sequence[str]) -> str:
        """Return the one script."""
        script = Path(__file__).with_name("node.sh").read_text(encoding="utf-8")
        return f"{shlex.join(['set', '--', *images])}\n{script}"

    def process(self, output: list[str]) -> Serving:
        """Return the record; raises FactProcessError when the output cannot be understood."""
        try:
            return parse_serving(output)
        except ValueError as error:
            raise FactProcessError(f"what the node serves cannot be read: {error}") from error


def parse_serving(lines: Sequence[str]) -> Serving:
    """Return what the script said.

    Real lines: `unit flightline-engine@chat-a.service active`, `container chat-a true 8f2c... 1`.
    Raises ValueError when the end is missing; FlightlineError for a state that cannot be read.
    """
    if "end" not in lines:
        raise ValueError("the answer is cut short")
    docker, states, units, containers = "", {}, {}, {}
    tools, enabled, images = set(), set(), set()
    for words in map(str.split, lines):
        match words:
            case ["tool", name]:
                tools.add(name)
            case ["docker", version]:
                docker = version
            case ["state", service, coded]:
                states[service] = _state(service, coded)
            case ["unit", unit, active]:
                units[_slot(unit)] = active
            case ["enabled", unit]:
                enabled.add(_slot(unit))
            case ["container", slot, running, *labels]:
                declaration, version = (*labels, "", "")[:2]
                containers[slot] = Running(running == "true", declaration, version)
            case ["image", name]:
                images.add(name)
    return Serving(
        "curl" in tools, docker, states, units, frozenset(enabled), containers, frozenset(images)
    )


def _slot(unit: str) -> str:
    return unit.removeprefix(_UNIT).removesuffix(_UNIT_END)


def _state(service: str, coded: str) -> ServiceState:
    path = f"{layout.STATES}/{service}.json"
    try:
        text = base64.b64decode(coded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not text: {error}") from error
    try:
        return state.loads(text, path)
    except FlightlineError as error:
        raise ValueError(error.message) from None


_LAST: WeakKeyDictionary[Any, Serving] = WeakKeyDictionary()


def serving_of(host: Any, images: Sequence[str]) -> Serving:
    """Return what the node serves with now; raises NodeRefused without an answer."""
    found: Serving | None = host.get_fact(Node, images=tuple(images))
    if found is None:
        raise NodeRefused("the node did not say which engines run; see its error above.")
    _LAST[host] = found
    return found


def last_serving(host: Any, images: Sequence[str]) -> Serving:
    """Return what was read last; asks again where something was changed since."""
    return _LAST.get(host) or serving_of(host, images)


def forget_serving(host: Any) -> None:
    """Have the next `last_serving` ask again."""
    _LAST.pop(host, None)
