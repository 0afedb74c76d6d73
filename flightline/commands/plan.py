"""`flightline plan`: would an apply go ahead, and what would it change?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import click

from flightline.converge import planning
from flightline.converge.declarations import declared_notes, declared_warnings
from flightline.converge.planning import NodePlan
from flightline.converge.session import opened
from flightline.errors import FlightlineError

PENDING = 3
"""Exit code with --detailed-exitcode: valid, and something would change."""


@click.command("plan")
@click.argument("inventory")
@click.option("--limit", multiple=True, metavar="NODE", help="Only this node, group or pattern.")
@click.option("--settings-only", is_flag=True, help="Check settings; connect to nothing.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 when changes are pending.")
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
def command(
    inventory: str, limit: tuple[str, ...], settings_only: bool, detailed_exitcode: bool, form: str
) -> None:
    """Check settings and nodes of INVENTORY, and say what an apply would change.

    Changes nothing. Exit codes: 0 valid; 1 an apply would be refused on a node; 2 bad usage or bad
    input; 3 valid with changes pending, with --detailed-exitcode.
    """
    session = opened(inventory, limit)
    for warning in declared_warnings(session.chosen):
        click.echo(f"warning: {warning}", err=True)
    for note in declared_notes(session.chosen):
        click.echo(f"note: {note}", err=True)
    if settings_only:
        names = [host.name for host in session.chosen]
        said = f"The settings of {_nodes(len(names))} are valid."
        click.echo(_json(inventory, _unasked(names)) if form == "json" else said)
        return
    try:
        session.open()
        plans = planning.plan(session)
    finally:
        session.close()
    found = [{"status": each.status, **asdict(each)} for each in plans]
    click.echo(_json(inventory, found) if form == "json" else "\n".join(_lines(plans)))
    sys.exit(exit_code(plans, detailed=detailed_exitcode))


def exit_code(plans: list[NodePlan], *, detailed: bool) -> int:
    """Return 1 when a node refuses, 3 for pending changes where that is asked for, else 0."""
    if not plans:
        raise FlightlineError("there is no node to plan for.")
    if any(each.problems for each in plans):
        return 1
    return PENDING if detailed and any(each.changes for each in plans) else 0


def _unasked(names: list[str]) -> list[dict[str, Any]]:
    """Nodes whose settings are valid, and which nobody tried to reach: no changes are known."""
    return [{"status": "valid", **asdict(NodePlan(name, was_reached=False))} for name in names]


def _json(inventory: str, nodes: list[dict[str, Any]]) -> str:
    return json.dumps(
        {"schema": "flightline.plan/1", "inventory": inventory, "nodes": nodes}, indent=2
    )


def _lines(plans: list[NodePlan]) -> list[str]:
    lines: list[str] = []
    for each in plans:
        lines += list(each.problems) or [
            f"{each.node}: {_count(len(each.changes))} would change it"
        ]
        lines += [f"  {change.role or '-':<12}{change.operation}" for change in each.changes]
    return [*lines, _verdict(plans)]


def _verdict(plans: list[NodePlan]) -> str:
    bad = [each.node for each in plans if each.problems]
    if bad:
        return f"Refused: an apply would not go ahead on {', '.join(bad)}."
    changes = sum(len(each.changes) for each in plans)
    return f"Valid: {_nodes(len(plans))}, {_count(changes)} would change something."


def _nodes(number: int) -> str:
    return f"{number} node{'s' * (number != 1)}"


def _count(number: int) -> str:
    return f"{number or 'no'} operation{'s' * (number != 1)}"
