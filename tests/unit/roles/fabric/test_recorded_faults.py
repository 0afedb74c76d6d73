"""Each fault that needs an HCA, done to recorded evidence: exactly its check turns red."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from flightline.audit.answers import Answer
from flightline.audit.check import Phase
from flightline.audit.judge import judge
from flightline.audit.selection import all_checks
from flightline.audit.verdict import results
from flightline.audit.waivers import Waivers
from flightline.gpu.evidence import PCI_BUS
from tests.machines import fabric

FAULTS: dict[str, dict[str, Any]] = {
    name: fault
    for name, fault in yaml.safe_load(
        (Path(__file__).parents[3] / "faults/fabric.yaml").read_text()
    ).items()
    if "machine" in fault
}
CHECKS = tuple(
    each for each in all_checks() if each.role == "fabric" and each.phase is Phase.CONVERGED
)


def bus() -> str:
    """Eight GPUs, four to a CPU."""
    lines = []
    for number in range(8):
        place = f"0000:{0x1A + number * 0x10:02x}:00.0"
        lines += [f"{place}/vendor:0x10de", f"{place}/device:0x2330", f"{place}/class:0x030200"]
        lines += [f"{place}/numa_node:{int(number >= 4)}"]
    return "\n".join([*lines, "end", ""])


def reds(machine: str, edits: list[dict[str, str]]) -> dict[str, str]:
    """Return what is red for a reason of its own, by check."""
    answers = dict(fabric.answers(machine))
    answers["bus"] = Answer(PCI_BUS, 0, bus().encode())
    for edit in edits:
        before = answers[edit["answer"]]
        text, count = re.subn(edit["replace"], edit["by"], before.stdout.decode())
        assert count, f"{edit['replace']} is nowhere in {edit['answer']}"
        answers[edit["answer"]] = replace(before, stdout=text.encode())
    by_command = {answer.command: answer for answer in answers.values()}

    def ask(commands: Any) -> dict[str, Answer]:
        return {each: by_command[each] for each in commands}

    judged = judge("node", CHECKS, {"fabric": fabric.settings(machine)}, ask, lambda _: None)  # type: ignore[dict-item]
    found = results("node", judged.findings, Waivers(()), {})
    return {
        each.id: f"{each.outcome.value}: {each.message}"
        for each in found
        if each.outcome.value in ("fail", "unknown") and each.suppressed_by is None
    }


@pytest.mark.parametrize("machine", fabric.MACHINES)
def test_a_sound_machine_has_nothing_red(machine: str) -> None:
    assert reds(machine, []) == {}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_turns_exactly_its_check_red(name: str) -> None:
    found = reds(FAULTS[name]["machine"], FAULTS[name]["edit"])
    assert set(found) == {name}, found
    assert found[name].startswith("fail: "), found
