"""Which nodes there are: one record per node, written atomically, outliving every command."""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from flightline.errors import FlightlineError
from flightline.lab import keys, machine, places
from flightline.lab.light import node as light
from flightline.lab.light.node import LightNode
from flightline.lab.machine import Machine, Shape
from flightline.lab.shell import Door

# The name says the suite; so does the address: node-1 is 10.88.0.11, trixie-1 is 10.88.0.111.
PREFIXES = {"bookworm": "node", "trixie": "trixie"}
_RECORDING = Lock()  # several nodes are started at a time, all are pinned in one file
FIRST_OCTET = {"bookworm": 10, "trixie": 110}


@dataclass(frozen=True)
class Node:
    """A node of the lab: what it is and the process that runs it."""

    name: str
    suite: str
    number: int
    ssh_port: int
    segment_port: int
    image: str
    """Folder of the image in the cache."""
    accelerator: tuple[str, ...]
    memory_mib: int
    cpus: int
    pid: int
    started: int | None
    """When the process started, in clock ticks since this computer's boot."""
    origin: str
    """"clone" of the saved template, or "cold" boot."""
    seconds: float
    """How long it took until the node answered over SSH as itself; 0 before it has."""
    gateway_port: int = 0
    """Port of 127.0.0.1 that leads to the node's gateway; 0 for a node started before 0.3.0."""

    @property
    def folder(self) -> Path:
        """The node's own folder."""
        return folder_of(self.name)

    @property
    def is_running(self) -> bool:
        """Whether the node's own QEMU process runs."""
        return machine.is_running(self.pid, self.started)

    @property
    def is_ready(self) -> bool:
        """Whether the node runs and has answered over SSH as itself since it was started."""
        return self.is_running and self.seconds > 0

    @property
    def address(self) -> str:
        """The node's address on the second network."""
        return address_of(self.suite, self.number)

    @property
    def door(self) -> Door:
        """How to enter the node."""
        return Door(self.name, self.ssh_port, known_hosts(), self.folder / "serial.log")

    @property
    def machine(self) -> Machine:
        """The machine that the node runs as."""
        shape = Shape(self.accelerator, self.memory_mib, self.cpus)
        return Machine(
            self.name, self.folder, shape, self.folder / "disk.qcow2", None,
            self.ssh_port, self.segment_port, mac_of(self.suite, self.number),
            self.gateway_port,
        )  # fmt: skip


def nodes() -> list[Node]:
    """Return the recorded nodes, running or not, in the order of suite and number."""
    found = [_read(path) for path in (places.state() / "nodes").glob("*/node.json")]
    return sorted(found, key=lambda node: (node.suite, node.number))


def every() -> list[Node | LightNode]:
    """Return the recorded nodes of both kinds: virtual machines, then light ones."""
    return [*nodes(), *light.nodes()]


def node_named(name: str) -> Node | LightNode:
    """Return the node; raise FlightlineError naming those there are when there is none such."""
    for node in every():
        if node.name == name:
            return node
    there = ", ".join(node.name for node in every()) or "none; run `flightline lab up`"
    raise FlightlineError(f"the lab has no node {name!r}; its nodes: {there}.")


def record(node: Node) -> None:
    """Write the node's record and pin its host key under its port."""
    text = json.dumps(dataclasses.asdict(node), indent=1)
    with _RECORDING:
        places.write_atomically(node.folder / "node.json", text)
        lines = [keys.known_hosts_line(n.ssh_port, n.folder / "host_key") for n in nodes()]
        places.write_atomically(known_hosts(), "".join(lines))


def forget_all() -> None:
    """Remove what is kept of nodes that are off: disks, host keys, records."""
    shutil.rmtree(places.state() / "nodes", ignore_errors=True)
    known_hosts().unlink(missing_ok=True)


def known_hosts() -> Path:
    """Return the file that pins every node's host key."""
    return places.state() / "known_hosts"


def folder_of(name: str) -> Path:
    """Return the folder of the node of that name."""
    return places.state() / "nodes" / name


def name_of(suite: str, number: int) -> str:
    """Return the name of a suite's node: node-1 on bookworm, trixie-1 on trixie."""
    return f"{PREFIXES[suite]}-{number}"


def address_of(suite: str, number: int) -> str:
    """Return the address of a suite's node on the second network."""
    return f"10.88.0.{FIRST_OCTET[suite] + number}"


def mac_of(suite: str, number: int) -> str:
    """Return the hardware address of a node's second network card (QEMU's own prefix)."""
    return f"52:54:00:88:00:{FIRST_OCTET[suite] + number:02x}"


def _read(path: Path) -> Node:
    try:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Node(**{**fields, "accelerator": tuple(fields["accelerator"])})
    except (ValueError, KeyError, TypeError) as error:
        raise FlightlineError(
            f"{path} is not a node's record ({error}); "
            f"remove {path.parent} and run `flightline lab up`."
        ) from None
