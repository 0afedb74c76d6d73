"""`flightline lab`: real nodes on this computer, virtual machines or containers."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from flightline.errors import FlightlineError
from flightline.lab import fleet, mirror, state
from flightline.lab.light import fleet as light_fleet
from flightline.lab.light.node import LightNode
from flightline.lab.serving import offered, stand
from flightline.lab.state import Node


@click.group()
def command() -> None:
    """Real nodes on this computer: virtual machines, or containers for what those are too slow for.

    Bookworm nodes are named node-1, node-2, ...; trixie nodes trixie-1, trixie-2, ...; light ones
    light-1, light-2, ... and light-trixie-1, light-trixie-2, ...
    """


@command.command()
@click.option(
    "--nodes", "count", type=click.IntRange(1, fleet.NODES_MAX), default=2, show_default=True
)
@click.option("--suite", type=click.Choice(mirror.SUITES), default="bookworm", show_default=True)
@click.option("--memory-mib", type=click.IntRange(512, 65536), default=2048, show_default=True)
@click.option("--cpus", type=click.IntRange(1, 16), default=2, show_default=True)
@click.option(
    "--light",
    is_flag=True,
    help="Containers that share this computer's kernel, network, memory and processors, at native "
    "speed; as root.",
)
def up(count: int, suite: str, memory_mib: int, cpus: int, light: bool) -> None:
    """Hold that nodes 1 to N of the suite run; nodes that run already are left alone."""
    begun = time.monotonic()
    started: list[Node] | list[LightNode]
    if light:
        started = light_fleet.up(count, suite, _say)
    else:
        started = fleet.up(count, suite, memory_mib, cpus, _say)
    if not started:
        _say(f"{count} {suite} nodes run already")
    else:
        _say(f"{len(started)} nodes brought up in {time.monotonic() - begun:.0f} s")


@command.command()
@click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True
)
def status(form: str) -> None:
    """Show the nodes; exit 0 when all run, 1 when one does not, 2 when there are none."""
    nodes = state.every()
    described = [_described(node) for node in nodes]
    if form == "json":
        click.echo(json.dumps(described, indent=2))
    else:
        _print_table(described)
        _tell_offer()
    raise SystemExit(2 if not nodes else 0 if all(node.is_running for node in nodes) else 1)


@command.command(context_settings={"ignore_unknown_options": True})
@click.argument("node")
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED)
def ssh(node: str, cmd: tuple[str, ...]) -> None:
    """Open a shell in NODE, or run a command: `flightline lab ssh node-1 -- uname -r`."""
    found = state.node_named(node)
    if not found.is_running:
        raise FlightlineError(
            f"{node} does not run; run `flightline lab reset {node}` for a fresh one."
        )
    arguments = [*found.door.arguments(), *cmd]
    os.execvp(arguments[0], arguments)  # noqa: S606 - the person's terminal belongs to ssh from here on


@command.command()
@click.argument("names", nargs=-1, metavar="NODE...")
@click.option("--all", "everything", is_flag=True, help="Every node of the lab.")
def reset(names: tuple[str, ...], everything: bool) -> None:
    """Make nodes pristine again: same name, port and host key, nothing else left."""
    if everything == bool(names):
        raise click.UsageError("name the nodes to reset, or give --all.")
    nodes = state.every() if everything else [state.node_named(name) for name in names]
    if light := [node for node in nodes if isinstance(node, LightNode)]:
        light_fleet.reset(light, _say)
    if virtual := [node for node in nodes if isinstance(node, Node)]:
        fleet.reset(virtual, _say)


@command.command()
@click.option("--purge", is_flag=True, help="Also remove the cached images, templates and keys.")
def down(purge: bool) -> None:
    """Stop every node and remove its disk; take back what `serve` offers."""
    if stand.stop(forget=True):
        _say("nothing is offered to serve with any more")
    gone = len(light_fleet.down(_say)) + len(fleet.down(_say, purge=purge))
    _say(f"{gone} nodes stopped and removed" + ("; the cache is empty" if purge else ""))


@command.command()
def serve() -> None:
    """Offer the nodes what serving takes: a registry, an engine's image, a mirror, a tiny model.

    From then on inventories/lab.py declares that every node serves the model through its gateway,
    and `flightline apply inventories/lab.py` makes it so; `flightline lab down` takes it back.
    """
    now = stand.start(_say)
    _say(f"image {now.image}")
    for version in now.versions:
        _say(f"model {now.model} {version} at {now.source(version)}")


def _say(line: str) -> None:
    """Tell the person what goes on; standard output is left to answers."""
    click.echo(f"lab: {line}", err=True)


def _described(node: Node | LightNode) -> dict[str, Any]:
    known = {
        "name": node.name,
        "suite": node.suite,
        "running": node.is_running,
        "ssh_port": node.ssh_port,
        "seconds_to_start": node.seconds,
        "pid": node.pid,
        "serial_log": str(node.door.serial_log),
    }
    if isinstance(node, LightNode):
        shared = dict.fromkeys(("address", "gateway_port", "memory_mib", "cpus"))
        return {**known, **shared, "accelerator": "none", "origin": "container"}
    return {
        **known,
        "address": node.address,
        "gateway_port": node.gateway_port,
        "memory_mib": node.memory_mib,
        "cpus": node.cpus,
        "accelerator": "kvm" if "kvm" in node.accelerator else "emulated",
        "origin": node.origin,
    }


def _tell_offer() -> None:
    offer = offered()
    if offer is not None:
        runs = "" if offer.is_running else "; it does not run, `flightline lab serve` starts it"
        _say(f"offered to serve with: {offer.image}, {offer.source('...')}{runs}")


def _print_table(nodes: list[dict[str, Any]]) -> None:
    if not nodes:
        _say("no nodes; run `flightline lab up`")
        return
    # The ports are 127.0.0.1's.
    titles = ("node", "suite", "state", "ssh", "gateway", "address", "memory", "cpus", "started")
    table = Table(*titles, box=None)
    for node in nodes:
        memory = f"{node['memory_mib']} MiB" if node["memory_mib"] else "shared"
        table.add_row(
            node["name"], node["suite"], "running" if node["running"] else "stopped",
            str(node["ssh_port"]), str(node["gateway_port"] or "none"),
            node["address"] or "none", memory,
            str(node["cpus"] or "shared"), f"{node['origin']}, {node['seconds_to_start']} s",
        )  # fmt: skip
    Console().print(table)
