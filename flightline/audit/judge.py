"""Judges one node: every check, on the node's own answers, in as few round trips as can be."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import testinfra

from flightline.audit.answers import Answer, text
from flightline.audit.backend import AnsweredBackend, Guess, Unanswered, fresh_host, shortened
from flightline.audit.check import Check, NotApplicable, Unknown
from flightline.report.record import Outcome
from flightline.settings import Settings

MOST_ROUNDS = 8
"""A check that still asks something new after so many round trips is unknown."""

Ask = Callable[[Sequence[str]], Mapping[str, Answer]]
"""Answers every command it is given, by a live node or from a recording."""

_TESTINFRA = Path(testinfra.__file__).parent


@dataclass(frozen=True)
class Finding:
    """What one check found on one node, before waivers and dependencies."""

    check: Check
    outcome: Outcome
    message: str
    asked: tuple[str, ...]


@dataclass
class Judged:
    """All findings on one node, the answers they rest on, and what it took."""

    findings: dict[str, Finding] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    rounds: int = 0

    def lead_ins(self) -> list[Answer]:
        """Return the answers after which a check asked something more."""
        early = {each for found in self.findings.values() for each in found.asked[:-1]}
        return [self.answers[each] for each in early if each in self.answers]


def judge(
    node: str,
    checks: Iterable[Check],
    settings: Mapping[str, Settings],
    ask: Ask,
    guess: Guess | None = None,
    *,
    known: Mapping[str, Answer] | None = None,
) -> Judged:
    """Return a finding for every check; `known` are answers that need not be asked.

    Each round runs the checks that are still open on the answers so far, and asks everything that
    they were missing, and are likely to ask next, in one go.
    """
    judged = Judged(answers=dict(known or {}))
    pending = list(checks)
    while pending := [each for each in pending if not _settled(node, each, settings, judged)]:
        if judged.rounds == MOST_ROUNDS:
            judged.findings.update({each.id: _endless(each) for each in pending})
            break
        wanted = dict.fromkeys(
            command
            for each in pending
            for command in _ahead(each, settings, AnsweredBackend(node, judged.answers, guess))
            if command not in judged.answers
        )
        judged.answers.update(ask(tuple(wanted)))
        judged.rounds += 1
    return judged


def _settled(node: str, check: Check, settings: Mapping[str, Settings], judged: Judged) -> bool:
    """Judge the check if all answers that it asks for are there."""
    finding = attempt(check, settings[check.role], AnsweredBackend(node, judged.answers))
    if finding is not None:
        judged.findings[check.id] = finding
    return finding is not None


def _ahead(
    check: Check, settings: Mapping[str, Settings], backend: AnsweredBackend
) -> Iterable[str]:
    """Return what the check asks on known and likely answers, up to the first without either."""
    attempt(check, settings[check.role], backend)
    return backend.asked


def attempt(check: Check, settings: Settings, backend: AnsweredBackend) -> Finding | None:
    """Run the check once; None when it asked something that has no answer yet."""
    try:
        check.function(fresh_host(backend), settings)
        outcome, message = Outcome.PASS, check.claim
    except Unanswered:
        return None
    except NotApplicable as proof:
        outcome, message = Outcome.NOT_APPLICABLE, str(proof)
    except Unknown as why:
        outcome, message = Outcome.UNKNOWN, str(why)
    except AssertionError as error:
        outcome, message = Outcome.FAIL, _failure(check, error, backend)
    except Exception as error:  # noqa: BLE001 - whatever a check trips over, the others go on
        outcome, message = Outcome.UNKNOWN, _trouble(error)
    if backend.unanswered is not None:
        return None
    if backend.problem is not None:
        outcome, message = Outcome.UNKNOWN, backend.problem
    return Finding(check, outcome, " ".join(message.split()), tuple(backend.asked))


def _failure(check: Check, error: AssertionError, backend: AnsweredBackend) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if _TESTINFRA in Path(frame.filename).parents and backend.last is not None:
        return _exited(backend.last)
    if message := str(error).strip():
        return message
    line = linecache.getline(frame.filename, frame.lineno or 0).strip()
    return (
        f"it is not so that {check.claim}: `{line}` ({Path(frame.filename).name}:{frame.lineno})."
    )


def _exited(answer: Answer) -> str:
    """Say what testinfra's own assertion says, "unexpected exit code", in our words."""
    said = text(answer.stderr or answer.stdout).strip().splitlines()
    why = f": {said[-1]}" if said else ""
    return f"`{shortened(answer.command)}` ended with exit status {answer.exit_status}{why}."


def _trouble(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"could not be judged: {type(error).__name__}: {error} ({where})."


def _endless(check: Check) -> Finding:
    message = (
        f"still asked for more after {MOST_ROUNDS} round trips; shorten its chain of commands."
    )
    return Finding(check, Outcome.UNKNOWN, message, ())
