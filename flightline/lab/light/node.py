"""Which light nodes there are: one record each, beside those of the virtual machines."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.lab import keys, machine, places
from flightline.lab.shell import Door

PREFIXES = {"bookworm": "light", "trixie": "light-trixie"}


@dataclass(frozen=True)
class LightNode:
    """A light node: what it is and the process that supervises its container."""

    name: str
    suite: str
    number: int
    ssh_port: int
    root: str
    """Folder of the root in the cache, over which the node's own disk lies."""
    pid: int = 0
    started: int | None = None
    """When the process started, in clock ticks since this computer's boot."""
    seconds: float = 0
    """How long it took until the node answered over SSH; 0 before it has."""

    @property
    def folder(self) -> Path:
        """The node's own folder."""
        return _folder() / self.name

    @property
    def disk(self) -> Path:
        """What the node has written: the overlay's upper folder."""
        return self.folder / "disk"

    @property
    def packages(self) -> Path:
        """The packages that the node has downloaded."""
        return self.folder / "packages"

    @property
    def host_key(self) -> Path:
        """The SSH host key that the node is known by."""
        return self.folder / "host_key"

    @property
    def console(self) -> Path:
        """What the node said while it booted, and why it did not."""
        return self.folder / "console.log"

    @property
    def is_running(self) -> bool:
        """Whether the node's own supervisor runs."""
        return machine.is_running(self.pid, self.started)

    @property
    def is_ready(self) -> bool:
        """Whether the node runs and has answered over SSH since it was started."""
        return self.is_running and self.seconds > 0

    @property
    def door(self) -> Door:
        """How to enter the node; its host key is pinned in a file of its own."""
        return Door(self.name, self.ssh_port, self.folder / "known_hosts", self.console)


def name_of(suite: str, number: int) -> str:
    """Return the name of a suite's light node: light-1 on bookworm, light-trixie-1 on trixie."""
    return f"{PREFIXES[suite]}-{number}"


def nodes() -> list[LightNode]:
    """Return the recorded light nodes, running or not, in the order of suite and number."""
    found = [_read(path) for path in _folder().glob("*/node.json")]
    return sorted(found, key=lambda node: (node.suite, node.number))


def record(node: LightNode) -> None:
    """Write the node's record and pin its host key under its port."""
    line = keys.known_hosts_line(node.ssh_port, node.host_key)
    places.write_atomically(node.door.known_hosts, line)
    text = json.dumps(dataclasses.asdict(node), indent=1)
    places.write_atomically(node.folder / "node.json", text)


def _folder() -> Path:
    return places.state() / "light"


def _read(path: Path) -> LightNode:
    try:
        return LightNode(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise FlightlineError(
            f"{path} is not a node's record ({error}); "
            f"remove {path.parent} and run `flightline lab up --light`."
        ) from None
