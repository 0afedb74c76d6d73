"""Every check whose fault no lab node can have turns red on a recorded machine, and no other does.

An entry of tests/faults/<role>.yaml with `machine` names a healthy machine of tests/machines and
the edits that make its answers those of a faulty one:

    nvidia-remap-pending:
      fault: "one GPU has a row remapping that waits for a reset"
      machine: h100
      settings: {ecc: true}                 # only where the machine's own do not serve
      edit: [{answer: smi, replace: REGEX, by: TEXT}]     # first match; `every: true` for all

`flightline audit` would judge the answers in the same way, so no node is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from flightline.audit.answers import Answer, missing, text
from flightline.audit.check import Check
from flightline.audit.judge import judge
from flightline.audit.selection import all_checks, settings_classes
from flightline.audit.verdict import root_cause
from flightline.report.record import Outcome
from tests.machines import Machine, machine

CHECKS = {each.id: each for each in all_checks()}
ENTRIES: dict[str, dict[str, Any]] = {
    name: entry
    for path in sorted(Path(__file__).parent.glob("*.yaml"))
    for name, entry in (yaml.safe_load(path.read_text()) or {}).items()
    if "machine" in entry and name in CHECKS
}
MOST_ROUNDS = 3  # an audit's remote commands for each node

Alarms = dict[str, str]


@pytest.mark.parametrize("name", ENTRIES)
def test_a_recorded_machine_is_sound_before_the_fault(name: str) -> None:
    entry = ENTRIES[name]
    settings = json.dumps(entry.get("settings", {}))
    assert not _sound(entry["machine"], _beside(CHECKS[name]), settings)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_recorded_fault_turns_exactly_its_check_red(name: str) -> None:
    recorded = machine(ENTRIES[name]["machine"])
    answers = dict(recorded.answers)
    for edit in ENTRIES[name]["edit"]:
        command = recorded.labels[edit["answer"]]
        answers[command] = _edited(answers[command], edit)
    settings = ENTRIES[name].get("settings", {})
    alarms = _alarms(recorded, answers, _beside(CHECKS[name]), settings)
    assert set(alarms) == {name}, alarms
    assert alarms[name].startswith("fail: "), alarms


@pytest.mark.parametrize("name", ENTRIES)
def test_a_recorded_fault_says_only_what_is_understood(name: str) -> None:
    entry = ENTRIES[name]
    assert set(entry) - {"settings"} == {"fault", "machine", "edit"}
    assert entry["edit"]
    for edit in entry["edit"]:
        assert set(edit) - {"every"} == {"answer", "replace", "by"}


def _edited(answer: Answer, edit: Mapping[str, Any]) -> Answer:
    before = text(answer.stdout)
    count = 0 if edit.get("every") else 1
    after = re.sub(edit["replace"], edit["by"], before, count=count, flags=re.MULTILINE)
    assert after != before, f"{edit['replace']!r} changes nothing in the answer {edit['answer']}"
    return replace(answer, stdout=after.encode())


@cache
def _sound(name: str, checks: tuple[Check, ...], settings: str) -> Alarms:
    """What is red before any fault; asked once for all faults of a machine."""
    recorded = machine(name)
    return _alarms(recorded, recorded.answers, checks, json.loads(settings))


def _alarms(
    recorded: Machine,
    answers: Mapping[str, Answer],
    checks: tuple[Check, ...],
    overrides: Mapping[str, Any],
) -> Alarms:
    """Return what is red or unknown for a reason of its own."""
    role = checks[0].role
    settings = recorded.settings.get(role) or settings_classes()[role]()
    judged = judge(
        recorded.name,
        checks,
        {role: settings.model_copy(update=overrides)},
        lambda commands: _answered(answers, commands),
    )
    assert judged.rounds <= MOST_ROUNDS, f"{judged.rounds} round trips"
    return {
        name: f"{found.outcome}: {found.message}"
        for name, found in judged.findings.items()
        if found.outcome in (Outcome.FAIL, Outcome.UNKNOWN)
        and root_cause(found, judged.findings) is None
    }


def _beside(check: Check) -> tuple[Check, ...]:
    """The checks that run when this one does: those of its role and phase."""
    return tuple(
        each for each in CHECKS.values() if (each.role, each.phase) == (check.role, check.phase)
    )


def _answered(answers: Mapping[str, Answer], commands: Sequence[str]) -> dict[str, Answer]:
    return {
        command: answers.get(command) or missing(command, "was not recorded")
        for command in commands
    }
