"""`flightline apply`: make the nodes what the inventory declares, then audit them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from flightline.converge.declarations import declared_warnings
from flightline.converge.events import EventLog, event_log, new_run_folder
from flightline.converge.progress import Watcher
from flightline.converge.results import NodeResult
from flightline.converge.runner import Converge
from flightline.converge.selection import Roles, batches
from flightline.converge.session import found, opened


@click.command("apply")
@click.argument("inventory")
@click.option("--limit", multiple=True, metavar="NODE", help="Only this node, group or pattern.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Only this role.")
@click.option("--batch", metavar="N|N%", help="So many nodes at a time, such as 2 or 25%.")
@click.option("--stats", is_flag=True, help="Show remote commands and uploads for each node.")
@click.option("--audit/--no-audit", default=True, show_default=True, help="Audit at the end.")
@click.option("-y", "--yes", is_flag=True, hidden=True, help="As pyinfra's; nothing is asked.")
def command(  # noqa: PLR0917 - click passes them by name
    inventory: str,
    limit: tuple[str, ...],
    roles: tuple[str, ...],
    batch: str | None,
    stats: bool,
    audit: bool,
    yes: bool,  # noqa: ARG001 - typed out of habit from pyinfra
) -> None:
    """Make the nodes of INVENTORY what it declares, all at the same time, then audit them.

    A node that fails does not stop the others; a batch in which one fails is the last. Exit codes:
    0 done, and go; 1 a node failed, or no-go; 2 undecided, bad usage or bad input.
    """
    inventory = found(inventory)
    session, chosen_roles = opened(inventory, limit), Roles(roles)
    groups = batches([host.name for host in session.chosen], batch)
    folder, console = new_run_folder("apply"), Console(stderr=True, soft_wrap=True)
    for warning in declared_warnings(session.chosen):
        console.print(f"warning: {warning}", markup=False, highlight=False, style="yellow")
    _keep_logs(folder)
    with event_log(folder) as log:
        results = _converged(inventory, groups, chosen_roles, log, console)
    _summarise(console, results, folder, stats=stats)
    code = 0 if all(each.has_converged for each in results) else 1
    well = [each.node for each in results if each.has_converged]
    if audit and well and not any(each.is_interrupted for each in results):
        code = code or _audited(inventory, well, roles, folder)
    sys.exit(code)


def _converged(
    inventory: str, groups: list[list[str]], roles: Roles, log: EventLog, console: Console
) -> list[NodeResult]:
    """Converge batch by batch; the batches after one that failed are left alone, and named."""
    results: list[NodeResult] = []
    with Watcher(console) as watcher:
        for number, names in enumerate(groups, 1):
            if len(groups) > 1:
                watcher.say(f"batch {number} of {len(groups)}: {', '.join(names)}")
            session = opened(inventory, names, check_for_changes=False)
            try:
                results += Converge(session, roles, log, watcher).run()
            finally:
                session.close()
            if any(each.was_reached and not each.has_converged for each in results):
                results += [_left_alone(name) for rest in groups[number:] for name in rest]
                break
    return results


def _left_alone(node: str) -> NodeResult:
    why = "left alone, because a node of an earlier batch failed; mend that one, then run again"
    return NodeResult(node, failure=f"{node}: {why}")


def _keep_logs(folder: Path) -> None:
    """Send what pyinfra says, and the traceback of an unexpected error, to the run's folder."""
    handler = logging.FileHandler(folder / "pyinfra.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name in ("pyinfra", "flightline"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(handler)


def _summarise(
    console: Console, results: Sequence[NodeResult], folder: Path, *, stats: bool
) -> None:
    if stats:
        console.print(_table(results))
    for result in results:
        if result.has_converged:
            console.print(f"{result.node}: {result.sentence}", markup=False, highlight=False)
            for name in result.changed:
                console.print(f"  {name}", markup=False, highlight=False, style="dim")
    for result in results:
        if not result.has_converged:
            text = f"{result.node}: {result.sentence.removeprefix(f'{result.node}: ')}"
            console.print(text, style="red", markup=False, highlight=False)
    failed = [each.node for each in results if not each.has_converged]
    done = len(results) - len(failed)
    verdict = f"{done} of {len(results)} nodes are as declared"
    names = f"; not: {', '.join(failed)}" if failed else ""
    console.print(f"{verdict}{names}; log: {folder}", markup=False, highlight=False)


def _table(results: Sequence[NodeResult]) -> Table:
    table = Table("node", "commands", "uploads", "downloads", "changed", "seconds")
    for column in table.columns[1:]:
        column.justify = "right"
    for each in results:
        counts = (each.counts.commands, each.counts.uploads, each.counts.downloads)
        table.add_row(each.node, *map(str, counts), str(len(each.changed)), f"{each.seconds:.1f}")
    return table


def _audited(inventory: str, nodes: list[str], roles: tuple[str, ...], folder: Path) -> int:
    """Audit the nodes that converged, into the same run folder; return the verdict's exit code."""
    # loaded here, so that a converge without an audit does not wait for it
    from flightline.audit import runner  # noqa: PLC0415
    from flightline.report import text  # noqa: PLC0415

    wanted = runner.Wanted(runner.Selection(roles), tuple(nodes))
    report = runner.audit(inventory, wanted, folder=folder)
    text.write(report, sys.stdout)
    return int(report.exit_code)
