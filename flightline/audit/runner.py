"""The audit, from an inventory or a recording to the verdict record."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from flightline import project
from flightline.audit import capture, guesses, recording
from flightline.audit.answers import Answer, missing
from flightline.audit.check import ACCEPTANCE
from flightline.audit.collect import LOADING
from flightline.audit.judge import judge
from flightline.audit.live import Audited, Progress, audit_session
from flightline.audit.selection import Selection
from flightline.audit.work import Wanted, Work
from flightline.errors import FlightlineError
from flightline.files import write_atomically
from flightline.report.record import Report

__all__ = ["Selection", "Wanted", "audit", "replay"]


def audit(
    inventory: str,
    wanted: Wanted | None = None,
    *,
    session: Any = None,
    folder: Path | None = None,
    record: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Judge every wanted check on every node of an inventory, all nodes at the same time.

    `session` is a connected one (its caller closes it); None connects to `inventory` here.
    `folder` is where the run is kept (`recording/` and `report.json`); None makes `<UTC>-audit`
    in `project.runs()`. With `record` off nothing is kept. `progress` is called with the name of
    each node that is done. Nothing is changed on a node.

    Raises FlightlineError for bad input, and when no check or no node is left.
    """
    wanted = wanted or Wanted()
    work = Work(wanted)
    if session is None:
        nodes = _connected(inventory, wanted.limit, work, progress)
    else:
        nodes = _audited(session, work, progress)
    if not record:
        return work.report(nodes, mode="live", inventory=inventory, kept=None)
    kept = folder or project.runs() / work.id
    work.keep(kept / "recording", nodes, inventory)
    report = work.report(nodes, mode="live", inventory=inventory, kept=kept / "recording")
    write_atomically(kept / "report.json", report.to_json())
    return report


def replay(path: Path, wanted: Wanted | None = None) -> Report:
    """Judge a recording again, without a node: what is not in it is unknown.

    `path` is a recording, the run folder above it, or a file with the output of
    `nvidia-smi -q -x`, which is judged with every role's default settings. Raises FlightlineError
    for bad input, for a recording that was changed, and when no check or no node is left.
    """
    wanted = wanted or Wanted()
    if not path.is_dir():
        return _judged_capture(path, wanted)
    work = Work(wanted)
    recorded = recording.read(path)
    nodes = [
        _replayed(name, recorded, work)
        for name in recorded.manifest.nodes
        if _is_wanted(name, wanted)
    ]
    return work.report(nodes, mode="replay", inventory=str(path), kept=recorded.folder)


def _judged_capture(path: Path, wanted: Wanted) -> Report:
    seen = capture.read(path)
    work = Work(wanted)
    settings = {role: kind() for role, kind in work.kinds.items()}
    nodes = []
    if _is_wanted(seen.name, wanted):
        judged = judge(seen.name, work.checks, settings, seen.ask)
        shown = capture.inventory(seen.report)
        nodes.append(Audited(seen.name, judged, settings=settings, inventory=shown))
    return work.report(nodes, mode="replay", inventory=str(path), kept=None)


def _is_wanted(node: str, wanted: Wanted) -> bool:
    return not wanted.limit or any(fnmatchcase(node, each) for each in wanted.limit)


def _connected(
    inventory: str, limit: Sequence[str], work: Work, progress: Progress | None
) -> list[Audited]:
    # pyinfra patches the standard library when it is loaded: only a live audit does that
    from flightline.converge.session import connect  # noqa: PLC0415

    with connect(inventory, limit) as session:
        return _audited(session, work, progress)


def _audited(session: Any, work: Work, progress: Progress | None) -> list[Audited]:
    if any(each.phase is ACCEPTANCE for each in work.checks):
        # a guess must not put load on a machine
        return audit_session(
            session, work.checks, work.kinds, guesses.detection, progress, pace=LOADING
        )
    nodes = audit_session(session, work.checks, work.kinds, guesses.load(), progress)
    guesses.save(answer for node in nodes for answer in node.judged.lead_ins())
    return nodes


def _replayed(name: str, recorded: recording.Recording, work: Work) -> Audited:
    node = recorded.manifest.nodes[name]
    if node.unreachable is not None:
        return Audited(name, unreachable=node.unreachable)
    if lacking := sorted(set(work.kinds) - set(node.settings)):
        raise FlightlineError(
            f"{recorded.folder}: {name} was recorded without the settings of "
            f"{', '.join(lacking)}; leave that out with --role, or audit the node again."
        )
    settings = {role: kind(**node.settings[role]) for role, kind in work.kinds.items()}
    answers = recorded.answers[name]

    def ask(commands: Sequence[str]) -> dict[str, Answer]:
        return {
            each: answers.get(each) or missing(each, "is not in the recording.")
            for each in commands
        }

    judged = judge(name, work.checks, settings, ask)
    judged.answers = answers  # evidence lines are the recording's
    return Audited(name, judged, settings=settings, data=node.data)
