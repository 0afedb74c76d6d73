"""The report for a person: problems with their remedies, a line per node, the verdict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flightline.report import inventory
from flightline.report.record import (
    NOT_CAPTURED,
    CheckResult,
    NodeResult,
    Outcome,
    Report,
    Verdict,
)

_WIDTH = 200
"""Tables are as wide as they need, in a pipe too; a narrow terminal wraps their lines."""

_SOUND = "what the capture shows is sound"

_COLOURS = {Verdict.GO: "bold green", Verdict.NO_GO: "bold red", Verdict.UNDECIDED: "bold yellow"}
_MARKS = {Outcome.FAIL: "red", Outcome.UNKNOWN: "yellow", Outcome.WAIVED: "cyan"}


def write(report: Report, stream: IO[str], *, stats: bool = False) -> None:
    """Write the report; colours only where the stream is a terminal, one problem a line."""
    console = Console(file=stream, highlight=False, soft_wrap=True, width=_WIDTH)
    for node in report.nodes:
        if node.inventory is not None:
            console.print(inventory.headline(node.name, node.inventory))
            console.print(inventory.table(node.inventory))
    for line in _problems(report):
        console.print(line)
    console.print(_nodes(report, stats))
    for warning in report.run.warnings:
        console.print(Text(f"warning: {warning}", "yellow"))
    if report.run.recording:
        console.print(Text(f"evidence: {report.run.recording}", "dim"))
    console.print(verdict_line(report))


def problem_line(node: str, check: CheckResult) -> str:
    """Return the one line of a problem: where, what is, what was expected, what to do."""
    return f"{node} {check.id}: {sentence(check)}"


def sentence(check: CheckResult) -> str:
    """Return what a check found, and what to do about it or who accepts it."""
    found = _ended(check.message)
    if check.outcome is not Outcome.FAIL:
        found = f"{check.outcome.value}: {found}"
    if check.outcome is Outcome.WAIVED:
        return f"{found} {_accepted(check)}"
    return found if check.remedy in found else f"{found} {_sentence(check.remedy)}"


def verdict_line(report: Report) -> Text:
    """Return the last line: GO, NO-GO or UNDECIDED, and why."""
    verdict = report.summary.verdict
    line = Text(verdict.value.upper(), _COLOURS[verdict])
    line.append(f": {_why(report)}", "default")
    return line


def _problems(report: Report) -> Iterable[Text]:
    yield from _needing_the_node(report)
    for wanted in (
        Outcome.WAIVED,
        Outcome.UNKNOWN,
        Outcome.FAIL,
    ):  # the worst nearest to the verdict
        for node in report.nodes:
            for check in node.checks:
                if check.outcome is wanted and _stands_for_itself(check):
                    yield Text(problem_line(node.name, check), _style(check))


def _stands_for_itself(check: CheckResult) -> bool:
    return check.suppressed_by is None and not check.needs_the_node


def _needing_the_node(report: Report) -> Iterable[Text]:
    """One line for all that a bare capture cannot tell."""
    for node in report.nodes:
        if count := sum(each.needs_the_node for each in node.checks):
            said = f"{node.name}: unknown: {count} {_checks(count)} what {NOT_CAPTURED}"
            yield Text(said, "yellow")


def _style(check: CheckResult) -> str:
    return _MARKS[check.outcome] if check.blocks else "cyan"


def _nodes(report: Report, stats: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("node", "verdict"):
        table.add_column(heading, no_wrap=True)
    counted = [
        "pass",
        "fail",
        "waived",
        "n/a",
        "unknown",
        *(["commands", "seconds"] if stats else []),
    ]
    for heading in counted:
        table.add_column(heading, justify="right")
    for node in report.nodes:
        table.add_row(*_row(node, stats))
    return table


def _row(node: NodeResult, stats: bool) -> list[Text | str]:
    outcomes = [each.outcome for each in node.checks]
    counts = [str(outcomes.count(each)) for each in Outcome]
    cost = [str(node.remote_commands), f"{node.seconds:.1f}"] if stats else []
    return [node.name, Text(node.verdict.value.upper(), _COLOURS[node.verdict]), *counts, *cost]


def _why(report: Report) -> str:
    if _is_sound_as_far_as_seen(report):
        count = report.summary.counts[Outcome.UNKNOWN]
        has_warning = report.summary.counts[Outcome.FAIL] > 0
        sound = "nothing that the capture shows blocks" if has_warning else _SOUND
        return f"{sound}; {count} {_checks(count)} the node itself."
    counts, nodes = report.summary.counts, report.summary.nodes
    named = [each.name for each in report.nodes if each.verdict is not Verdict.GO]
    total = f"{sum(counts.values())} checks on {len(report.nodes)} {_plural(len(report.nodes))}"
    if not named:
        return f"{counts[Outcome.PASS]} of {total} pass, nothing stands against it."
    blocked = f"{nodes[Verdict.NO_GO]} no-go, {nodes[Verdict.UNDECIDED]} undecided"
    return f"{blocked} of {len(report.nodes)} {_plural(len(report.nodes))} ({', '.join(named)})."


def _is_sound_as_far_as_seen(report: Report) -> bool:
    """Whether nothing stands against go but what a bare capture does not have."""
    blocking = [check for node in report.nodes for check in node.checks if check.blocks]
    judged = report.summary.counts[Outcome.PASS]
    return bool(judged and blocking) and all(each.needs_the_node for each in blocking)


def _checks(count: int) -> str:
    return "check needs" if count == 1 else "checks need"


def _plural(count: int) -> str:
    return "node" if count == 1 else "nodes"


def _accepted(check: CheckResult) -> str:
    waiver = check.waiver
    assert waiver is not None
    return f"Waived by {waiver.owner} until {waiver.expires}: {_ended(waiver.reason)}"


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _sentence(text: str) -> str:
    return _ended(text[:1].upper() + text[1:])
