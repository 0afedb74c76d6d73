"""Asks live nodes: all commands of a round in one script, all nodes at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flightline.audit import collect
from flightline.audit.answers import Answer
from flightline.audit.backend import Guess
from flightline.audit.check import Check
from flightline.audit.collect import READING, Pace
from flightline.audit.judge import Judged, judge
from flightline.errors import FlightlineError
from flightline.report.record import Inventory
from flightline.settings import Settings, declared

Sh = Callable[[str], str]
"""Runs a script as root on one node and returns what it printed; raises OSError when it cannot."""

Progress = Callable[[str], None]
_SECRET = ("password", "secret", "token", "key", "passphrase", "credential")


class Unreachable(Exception):  # noqa: N818 - the sentence says what is wrong
    """A node did not take the audit's script."""


@dataclass(frozen=True)
class Audited:
    """What came of one node: findings with their answers, or why it could not be asked."""

    node: str
    judged: Judged = field(default_factory=Judged)
    unreachable: str | None = None
    settings: Mapping[str, Settings] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    remote_commands: int = 0
    seconds: float = 0.0
    inventory: Inventory | None = None
    """What was seen, where a bare capture was judged."""


def audit_session(
    session: Any,
    checks: Sequence[Check],
    kinds: Mapping[str, type[Settings]],
    guess: Guess,
    progress: Progress | None,
    *,
    pace: Pace = READING,
) -> list[Audited]:
    """Audit every node of a connected session at once; a bad one does not stop the others.

    What checks judge between nodes is measured first.
    """
    found: dict[str, Audited] = {}
    settings = {host.name: _settings(host, kinds) for host in session.hosts}

    between = _between(session, checks, settings)

    def one(host: Any) -> None:
        known = between.get(host.name)
        found[host.name] = audit_host(host, checks, settings[host.name], guess, pace, known=known)
        if progress is not None:
            progress(host.name)

    session.map(one)
    reached = [
        found.get(host.name) or Audited(host.name, unreachable="the audit ended before its answer.")
        for host in session.hosts
    ]
    return [
        *reached,
        *(
            Audited(name, unreachable=why.removeprefix(f"{name}: "))
            for name, why in session.failed.items()
        ),
    ]


def audit_host(
    host: Any,
    checks: Sequence[Check],
    settings: Mapping[str, Settings],
    guess: Guess,
    pace: Pace = READING,
    *,
    known: Mapping[str, Answer] | None = None,
) -> Audited:
    """Audit one connected node; a node that stops answering is unreachable, never an exception."""
    began = time.monotonic()
    sent: list[int] = []

    def ask(commands: Sequence[str]) -> Mapping[str, Answer]:
        sent.append(len(commands))
        return ask_by(lambda script: _as_root(host, script, pace), commands, pace)

    judged, problem = Judged(), None
    try:
        judged = judge(host.name, checks, settings, ask, guess, known=known)
    except Unreachable as why:
        problem = str(why)
    return Audited(
        host.name,
        judged,
        problem,
        settings,
        plain(host.data),
        remote_commands=len(sent),
        seconds=time.monotonic() - began,
    )


def _between(
    session: Any, checks: Sequence[Check], settings: Mapping[str, Mapping[str, Settings]]
) -> dict[str, dict[str, Answer]]:
    """Return what was measured between the nodes, as answers of each; {} where nothing asks it."""
    found: dict[str, dict[str, Answer]] = {}
    for check in checks:
        if check.between is None:
            continue
        from flightline.acceptance import run  # noqa: PLC0415 - loads pyinfra: live nodes only

        of_role = {name: values[check.role] for name, values in settings.items()}
        for name, answer in run.between(session.hosts, of_role, check.between).items():
            found.setdefault(name, {})[answer.command] = answer
    return found


def ask_by(run: Sh, commands: Sequence[str], pace: Pace = READING) -> Mapping[str, Answer]:
    """Ask all commands in one script; every command gets an answer, if only why there is none."""
    marker = collect.new_marker()
    return collect.read(commands, marker, run(collect.script(commands, marker, pace)), pace)


def plain(data: Any) -> dict[str, Any]:
    """Return the plain values of a host's data, without anything that may be secret."""
    pairs = data.dict() if hasattr(data, "dict") else dict(data)
    return {
        key: value
        for key, value in sorted(pairs.items())
        if isinstance(value, str | int | float | bool)
        and not key.startswith("_")
        and not any(word in key.lower() for word in _SECRET)
    }


def _settings(host: Any, kinds: Mapping[str, type[Settings]]) -> dict[str, Settings]:
    return {role: declared(host.data, role, kind) for role, kind in kinds.items()}


def _as_root(host: Any, script: str, pace: Pace) -> str:
    # pyinfra is loaded for live nodes only: judging a recording starts without it
    from flightline.transport import run_as_root  # noqa: PLC0415

    try:
        done = run_as_root(host, script, timeout_seconds=pace.script_seconds)
    except TimeoutError:
        raise Unreachable(f"no answer within {pace.script_seconds} s.") from None
    except (OSError, EOFError, FlightlineError) as error:
        raise Unreachable(f"the connection was lost: {error}.") from None
    if "flightline-" not in done.stdout and done.rc != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Unreachable(f"commands cannot be run as root (exit status {done.rc}: {said}).")
    return done.stdout
