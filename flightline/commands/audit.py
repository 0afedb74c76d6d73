"""`flightline audit`: judge every check on every node; go or no-go."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import click

from flightline import project
from flightline.audit import runner
from flightline.audit.check import Phase
from flightline.audit.selection import Selection
from flightline.errors import FlightlineError
from flightline.files import write_atomically
from flightline.report import junit, text
from flightline.report.record import Report

FORMATS = ("text", "json", "junit")


@click.command("audit")
@click.argument("inventory", required=False)
@click.option("--limit", multiple=True, metavar="NODE", help="Only this node, group or pattern.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Only this role's checks.")
@click.option("--check", "checks", multiple=True, metavar="ID", help="Only this check.")
@click.option(
    "--phase",
    type=click.Choice([each.value for each in Phase]),
    default=Phase.CONVERGED.value,
    show_default=True,
    help="Only checks of this phase.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Write the report to this file.")
@click.option("--waivers", type=click.Path(path_type=Path), help="[default: waivers.yaml, if any]")
@click.option(
    "--record/--no-record", default=True, help="Keep the evidence under flightline-runs/."
)
@click.option("--stats", is_flag=True, help="Show remote commands and seconds for each node.")
@click.option(
    "--from",
    "recorded",
    type=click.Path(path_type=Path),
    metavar="RECORDING",
    help="Judge a recording, or a file with the output of `nvidia-smi -q -x`, instead of nodes.",
)
def command(inventory: str | None, recorded: Path | None, record: bool, **options: Any) -> None:
    """Judge every check on every node of INVENTORY, all nodes at the same time.

    Changes nothing on a node. Exit codes: 0 go; 1 no-go; 2 undecided (something could not be
    measured, or a node could not be reached), bad usage or bad input.
    """
    if (inventory is None) == (recorded is None):
        raise FlightlineError("name either an INVENTORY or a recording (--from), one of the two.")
    output, waivers = _absolute(options["output"]), _absolute(options["waivers"])
    recorded = _absolute(recorded)
    inventory = _path(inventory)
    project.enter()
    selection = Selection(options["roles"], options["checks"], Phase(options["phase"]))
    wanted = runner.Wanted(selection, options["limit"], waivers)
    if recorded is not None:
        report = runner.replay(recorded, wanted)
    else:
        report = runner.audit(inventory or "", wanted, record=record, progress=_tell)
    _show(report, options["form"], output, stats=options["stats"])
    sys.exit(report.exit_code)


def _show(report: Report, form: str, output: Path | None, *, stats: bool) -> None:
    if output is None:
        _write(report, form, sys.stdout, stats=stats)
        if stats and form != "text":
            text.write(report, sys.stderr, stats=True)
        return
    written = io.StringIO()
    _write(report, form, written, stats=stats)
    try:
        write_atomically(output, written.getvalue())
    except OSError as error:
        raise FlightlineError(f"{output}: cannot be written ({error.strerror}).") from None
    text.write(report, sys.stderr, stats=stats)


def _write(report: Report, form: str, stream: Any, *, stats: bool) -> None:
    if form == "text":
        text.write(report, stream, stats=stats)
    else:
        stream.write(report.to_json() if form == "json" else junit.to_junit(report))


def _tell(node: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"audited {node}", err=True)


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _path(inventory: str | None) -> str | None:
    """Return an inventory's path so that it holds after the change into the project's root."""
    if inventory is not None and Path(inventory).exists():
        return str(Path(inventory).absolute())
    return inventory
