"""What an audit was asked for, and the record that it ends in."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from flightline.audit import recording, waivers
from flightline.audit.check import Check
from flightline.audit.live import Audited
from flightline.audit.selection import Selection, all_checks, select, settings_classes
from flightline.audit.verdict import node_verdict, results, summary, unreachable
from flightline.errors import FlightlineError
from flightline.report.record import NodeResult, Report, Run
from flightline.settings import Settings


@dataclass(frozen=True)
class Wanted:
    """What an audit is asked for: which checks, which nodes, which waivers."""

    selection: Selection = field(default_factory=Selection)
    limit: tuple[str, ...] = ()
    """Node names, groups or shell patterns; empty means every node."""
    waivers_file: Path | None = None
    """None means waivers.yaml in the project's root, if there is one."""


class Work:
    """One audit from its beginning: the checks it runs, the waivers it honours, its clock.

    Raises FlightlineError for bad input, and when no check is left to run.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.began = datetime.now(UTC)
        self._mark = time.monotonic()
        self.checks: tuple[Check, ...] = select(wanted.selection)
        roles = {each.role for each in self.checks}
        self.kinds: dict[str, type[Settings]] = {
            role: kind for role, kind in settings_classes().items() if role in roles
        }
        self._waivers = waivers.Waivers(waivers.load(wanted.waivers_file))

    @property
    def id(self) -> str:
        """Name of the run: when it began, to the millisecond."""
        return f"{self.began:%Y%m%dT%H%M%S}{self.began.microsecond // 1000:03d}Z-audit"

    def report(
        self,
        nodes: Sequence[Audited],
        *,
        mode: Literal["live", "replay"],
        inventory: str,
        kept: Path | None,
    ) -> Report:
        """Return the record; `kept` is the folder of the evidence, None when there is none."""
        if not nodes:
            raise FlightlineError(f"{inventory}: no node is left to audit; loosen --limit.")
        judged = tuple(self._node(each, kept is not None) for each in nodes)
        run = Run(
            id=self.id,
            started=self.began.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self._mark, 3),
            mode=mode,
            inventory=inventory,
            recording=None if kept is None else str(kept),
            warnings=tuple(self._unused([each.name for each in judged])),
            **versions(),
        )
        return Report(run=run, nodes=judged, summary=summary(judged))

    def keep(self, folder: Path, nodes: Sequence[Audited], inventory: str) -> None:
        """Write the evidence as a recording."""
        evidence = [
            recording.Evidence(
                node=each.node,
                settings={role: value.to_json() for role, value in each.settings.items()},
                data=dict(each.data),
                answers=tuple(each.judged.answers.values()),
                unreachable=each.unreachable,
            )
            for each in nodes
        ]
        created = self.began.isoformat(timespec="seconds")
        recording.write(folder, evidence, created=created, inventory=inventory, **versions())

    def _node(self, node: Audited, recorded: bool) -> NodeResult:
        answers = node.judged.answers.values()
        evidence = recording.references(node.node, answers) if recorded else {}
        if node.unreachable is not None:
            found = unreachable(node.unreachable, self.checks)
        else:
            inorder = {each.id: node.judged.findings[each.id] for each in self.checks}
            found = results(node.node, inorder, self._waivers, evidence)
        return NodeResult(
            name=node.node,
            verdict=node_verdict(found),
            checks=found,
            remote_commands=node.remote_commands,
            seconds=round(node.seconds, 3),
            inventory=node.inventory,
        )

    def _unused(self, nodes: list[str]) -> list[str]:
        judged = (each.id for each in self.checks)
        return self._waivers.unused(judged, (each.id for each in all_checks()), nodes)


def versions() -> dict[str, str]:
    """Return the versions that a verdict depends on."""
    return {
        "flightline": importlib.metadata.version("flightline"),
        "testinfra": importlib.metadata.version("pytest-testinfra"),
    }
