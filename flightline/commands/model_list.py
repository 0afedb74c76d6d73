"""`flightline model list`: which versions nodes have, which serve, what is still under way."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from flightline.converge.session import connect
from flightline.serving import fleet_store
from flightline.serving.fleet_store import NodeStore
from flightline.serving.publish import readable
from flightline.serving.store import Store, StoredVersion

COLUMNS = ("node", "model", "version", "size", "verified", "current", "services", "state")


@click.command("list")
@click.argument("inventory")
@click.option("--limit", multiple=True, metavar="NODE", help="Only this node, group or pattern.")
@click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True
)
def command(inventory: str, limit: tuple[str, ...], form: str) -> None:
    """List the versions of models on the nodes of INVENTORY: declared, there, serving, under way.

    Changes nothing. Exit codes: 0 every node answered; 2 one did not, bad usage or bad input.
    """
    with connect(inventory, limit) as session:
        nodes = fleet_store.read(session)
    if form == "json":
        fields = {"schema": "flightline.models/1", "nodes": [to_json(each) for each in nodes]}
        click.echo(json.dumps(fields, indent=2))
    else:
        _print([row for each in nodes for row in rows(each)])
    for each in nodes:
        if each.problem:
            click.echo(f"{each.node}: {each.problem}", err=True)
    sys.exit(2 if any(each.problem for each in nodes) else 0)


def rows(node: NodeStore) -> list[dict[str, str]]:
    """Return a row for each version that is declared or there, as texts by column."""
    if node.found is None:
        return []
    return [{"node": node.node, **_shown(each)} for each in _versions(node, node.found)]


def to_json(node: NodeStore) -> dict[str, Any]:
    """Return what is known of one node as plain data."""
    found = node.found
    return {
        "node": node.node,
        "problem": node.problem,
        "free_bytes": found.free_bytes if found else None,
        "fetch": found.fetch_state if found else "",
        "fetch_errors": list(found.fetch_errors) if found else [],
        "versions": _versions(node, found) if found else [],
    }


def _versions(node: NodeStore, found: Store) -> list[dict[str, Any]]:
    wanted = {(each.name, each.version): each.manifest for each in node.declared}
    halves = {(each.name, each.version): each.bytes for each in found.halves}
    there = {(each.name, each.version): each for each in found.versions}
    return [
        {
            "model": name,
            "version": version,
            "declared": (name, version) in wanted,
            "manifest_sha256": stored.manifest if stored else None,
            "bytes": stored.bytes if stored else None,
            "fetched_bytes": halves.get((name, version)),
            "verified": stored.verified.when if stored and stored.verified else None,
            "current": found.current.get(name) == version,
            "services": list(found.served(name).get(version, ())),
            "state": _state(stored, wanted.get((name, version)), halves.get((name, version))),
        }
        for name, version in sorted({*wanted, *halves, *there})
        for stored in [there.get((name, version))]
    ]


def _state(stored: StoredVersion | None, manifest: str | None, half: int | None) -> str:
    if stored is None:
        return "missing" if half is None else "in part"
    if manifest not in (None, stored.manifest):
        return "another manifest"
    if not stored.is_sound:
        return "touched" if stored.verified else "not verified"
    return "kept" if manifest is None else "verified"


def _shown(version: dict[str, Any]) -> dict[str, str]:
    size = version["bytes"] if version["bytes"] is not None else version["fetched_bytes"]
    return {
        "model": version["model"],
        "version": version["version"],
        "size": "-" if size is None else readable(size),
        "verified": version["verified"] or "-",
        "current": "yes" if version["current"] else "",
        "services": ", ".join(version["services"]),
        "state": version["state"],
    }


def _print(shown: list[dict[str, str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, no_wrap=True, justify="right" if name == "size" else "left")
    for row in shown:
        table.add_row(*(row[name] for name in COLUMNS))
    wide = None if sys.stdout.isatty() else 200
    Console(highlight=False, width=wide).print(table)
