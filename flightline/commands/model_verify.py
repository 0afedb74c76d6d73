"""`flightline model verify`: hash every file of every version on the nodes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click

from flightline.converge.session import connect
from flightline.errors import FlightlineError
from flightline.serving import fleet_store
from flightline.serving.fleet_store import Verdict


@click.command("verify")
@click.argument("inventory")
@click.option("--limit", multiple=True, metavar="NODE", help="Only this node, group or pattern.")
@click.option("--model", metavar="NAME", help="Only this model.")
@click.option("--version", metavar="VERSION", help="Only this version; needs --model.")
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
def command(
    inventory: str, limit: tuple[str, ...], form: str, model: str | None, version: str | None
) -> None:
    """Hash every file of the declared versions on the nodes of INVENTORY, all nodes at once.

    Reads weights at the speed of the disks: minutes for hundreds of gigabytes. Changes nothing but
    the record of the hashing. Exit codes: 0 all are as their manifests say; 1 one is not; 2 one
    could not be judged, bad usage or bad input.
    """
    if version and not model:
        raise FlightlineError("--version is of a model; name it with --model.")
    with connect(inventory, limit) as session:
        verdicts = fleet_store.verify(session, model, version)
    if form == "json":
        fields = {"schema": "flightline.verified/1", "versions": [asdict(x) for x in verdicts]}
        click.echo(json.dumps(fields, indent=2))
    else:
        click.echo("\n".join(map(_line, verdicts)))
    sys.exit(exit_code(verdicts))


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """Return 1 when a version is wrong, 2 when one is unknown and none wrong, else 0."""
    if any(each.problem and each.is_known for each in verdicts):
        return 1
    return 2 if any(not each.is_known for each in verdicts) else 0


def _line(each: Verdict) -> str:
    of = f"{each.node}: {each.name} {each.version}"
    if not each.problem:
        return f"{of} is as its manifest says"
    return (
        f"{of} could not be judged: {each.problem}"
        if not each.is_known
        else (f"{each.node}: {each.problem}")
    )
