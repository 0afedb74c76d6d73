"""Judges one check of the driver, its services or its place on a machine of tests/machines."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from flightline.audit.answers import missing, text
from flightline.audit.check import REGISTRY
from flightline.audit.judge import judge
from flightline.report.record import Outcome
from roles.nvidia import checks
from roles.nvidia.settings import NvidiaSettings
from tests.machines import machine

assert checks
Edit = tuple[str, str, str]
FAIL, PASS, UNKNOWN, ABSENT = (
    Outcome.FAIL,
    Outcome.PASS,
    Outcome.UNKNOWN,
    Outcome.NOT_APPLICABLE,
)


def verdict(
    id: str, *edits: Edit, name: str = "h100", without: str = "", **settings: Any
) -> tuple[Outcome, str]:
    """Outcome and message; an edit is (label, regex, text) for all its matches.

    `without` names an answer that was never given.
    """
    recorded = machine(name)
    answers = dict(recorded.answers)
    for label, pattern, by in edits:
        command = recorded.labels[label]
        before = text(answers[command].stdout)
        after = re.sub(pattern, by, before, flags=re.MULTILINE)
        assert after != before, f"{pattern!r} changes nothing in {label}"
        answers[command] = replace(answers[command], stdout=after.encode())
    if without:
        del answers[recorded.labels[without]]
    found = judge(
        "node",
        [REGISTRY[id]],
        {"nvidia": NvidiaSettings(**settings)},
        lambda asked: {each: answers.get(each) or missing(each, "no answer") for each in asked},
    ).findings[id]
    return found.outcome, found.message
