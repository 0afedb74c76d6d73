"""Two lab nodes, Debian 12 and 13, that serve the tiny model, each behind its own gateway."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from functools import lru_cache

from flightline.lab import places, state
from tests.lab.hands import typed
from tests.lab.serving import Gateway

NODES = ("node-1", "trixie-1")
ROAD = ",".join(NODES)
INVENTORY = "inventories/lab.py"
ENGINE = "flightline-engine@chat-a.service"
CONTAINER = "flightline-chat-a"


@dataclass(frozen=True)
class Fleet:
    """The nodes' gateways, and a key for them."""

    gateways: dict[str, Gateway]
    addresses: dict[str, str]
    """On the network between the nodes."""
    key: str
    name: str
    """The key's name: `who` in the audit log."""


@lru_cache(maxsize=1)
def serving_fleet() -> Fleet:
    """Return the fleet: nodes up, something to serve offered, converged, a key in both gateways."""
    for suite in ("bookworm", "trixie"):
        _done("lab", "up", "--nodes", "1", "--suite", suite)
    _done("lab", "serve")
    _done("apply", INVENTORY, "--no-audit")
    known = {node.name: node for node in state.nodes()}
    authority = places.state() / "authority" / "root.pem"
    name = f"load-{time.time_ns()}"
    return Fleet(
        {name: Gateway(known[name].gateway_port, authority) for name in NODES},
        {name: known[name].address for name in NODES},
        new_key(name, "--requests-per-minute", "1000000"),
        name,
    )


def new_key(name: str, *more: str, role: str = "data_scientist") -> str:
    """Return a key that every gateway has taken."""
    output = places.state() / f"{name}.key"
    _done("key", "add", INVENTORY, "--name", name, "--role", role, "--output", str(output), *more)
    return output.read_text(encoding="ascii").strip()


def switch(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `flightline model switch` for the tiny model."""
    return typed(
        "flightline", "model", "switch", INVENTORY, "--model", "tiny", *arguments, nodes=ROAD
    )


def as_root(node: str, script: str, seconds: int = 180) -> str:
    """Return what a script prints on a node; it travels on standard input, seen by no log."""
    done = tried(node, script, seconds)
    assert done.returncode == 0, f"{node}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def tried(node: str, script: str, seconds: int = 180) -> subprocess.CompletedProcess[str]:
    """Run a script on a node as root; return its status and output."""
    door = state.node_named(node).door
    return subprocess.run(
        [*door.arguments(), "sudo sh -s"],
        input=script, capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip


def until(node: str, condition: str, seconds: int = 120) -> None:
    """Hold that a condition came true on a node within the seconds."""
    script = f"i=0; until {condition}; do i=$((i+1)); [ $i -lt {seconds} ] || exit 1; sleep 1; done"
    as_root(node, script, seconds + 60)


def healthy(node: str, slot: str = "a") -> None:
    """Hold that the engine in a slot of a node is ready."""
    port = 18000 if slot == "a" else 18001
    until(node, f"curl -fs 127.0.0.1:{port}/health >/dev/null")


def both_engines_up(node: str) -> None:
    """Hold that a node's gateway takes both nodes' engines for ready."""
    ask = "printf 'show stat model.tiny 4 -1\\n' | socat - /run/flightline-gateway/admin.sock"
    until(node, f"""[ "$({ask} | grep -c 'chat-a,.*,UP,')" -eq 2 ]""")


def told(node: str, command: str) -> None:
    """Hold that a node's gateway has done a runtime command."""
    as_root(node, f"/usr/local/lib/flightline/gateway-ctl '{command}'")


def served_version(node: str) -> str:
    """Return the version that a node's state says it serves."""
    found = json.loads(as_root(node, "cat /var/lib/flightline/serving/chat.json"))
    version: str = found[found["active"]]
    return version


def _done(*arguments: str) -> None:
    done = typed("flightline", *arguments, nodes=ROAD)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
