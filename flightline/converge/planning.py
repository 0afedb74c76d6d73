"""What an apply would meet and change: nodes, then operations. Changes nothing.

An operation is asked for its first command only: whether it would act now. What depends on an
earlier operation of the same run shows as it is before that one: so a refusal that follows a change
of the same role, such as a unit whose package is still to be installed, is judged by the apply.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pyinfra.api.host import Host

from flightline.converge import inside
from flightline.converge.inside import Step
from flightline.converge.sentences import explained
from flightline.converge.session import Session
from flightline.errors import NodeRefused
from flightline.facts.node import node_of
from flightline.operations.preflight import problems
from flightline.operations.refusal import Refusal


@dataclass(frozen=True)
class Change:
    """An operation that would act."""

    role: str
    operation: str


@dataclass(frozen=True)
class NodePlan:
    """What an apply would do on one node, or why it would not."""

    node: str
    problems: tuple[str, ...] = ()
    """Sentences; empty when an apply would go ahead."""
    changes: tuple[Change, ...] = ()
    was_reached: bool = True

    @property
    def status(self) -> Literal["valid", "refused", "unreachable"]:
        """How an apply would meet the node."""
        if not self.was_reached:
            return "unreachable"
        return "refused" if self.problems else "valid"


def plan(session: Session) -> list[NodePlan]:
    """Return the plan of each chosen node, in inventory order; the session is connected."""
    unfit = session.map(_unfit)
    fit = [host for host in session.hosts if not unfit[host.name]]
    errors = inside.prepare(session.state, fit)
    for name, error in errors.items():
        unfit[name] = (f"{name}: {explained(error)}",)
    plans: dict[str, Any] = session.map(
        lambda host: (
            NodePlan(host.name, _texts(host.name, unfit[host.name]))
            if unfit[host.name]
            else _planned(session, host)
        )
    )
    for name, sentence in session.failed.items():
        plans[name] = NodePlan(name, (sentence,), was_reached=False)
    return [_certain(host.name, plans[host.name]) for host in session.chosen]


def _certain(name: str, outcome: Any) -> NodePlan:
    if isinstance(outcome, NodePlan):
        return outcome
    return NodePlan(name, (f"{name}: {explained(outcome)}",))


def _unfit(host: Host) -> tuple[str, ...]:
    try:
        return tuple(f"{host.name}: {problem}" for problem in problems(node_of(host)))
    except NodeRefused as error:
        return (f"{host.name}: {error.message.removeprefix(f'{host.name}: ')}",)


def _texts(name: str, problem: Any) -> tuple[str, ...]:
    return problem if isinstance(problem, tuple) else (f"{name}: {explained(problem)}",)


def _planned(session: Session, host: Host) -> NodePlan:
    refused: list[str] = []
    changes: list[Change] = []
    for step in inside.steps(session.state, host):
        for command in _commands(session, host, step):
            if isinstance(command, str) and step.role not in {each.role for each in changes}:
                refused.append(f"{host.name}: {command}")
            else:
                changes.append(Change(step.role, step.name.rpartition(" | ")[2]))
    # one cause may stop several operations
    return NodePlan(host.name, tuple(dict.fromkeys(refused)), tuple(changes))


def _commands(session: Session, host: Host, step: Step) -> Iterator[Any]:
    """Yield the step's first command, or a sentence where the step refuses; nothing for a no-op."""
    try:
        command = inside.first_command(session.state, host, step)
    except Exception as error:  # noqa: BLE001 - whatever an operation raises
        yield explained(error)
        return
    if isinstance(command, Refusal):
        yield command.sentence
    elif command is not None:
        yield command
