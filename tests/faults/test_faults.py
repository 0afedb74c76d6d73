"""Every check turns red when what it watches is broken on a real node, and no other check does.

Without a node, this proves that each check has a fault. With FLIGHTLINE_FAULT_NODE naming a
converged node of inventories/lab.py (or of FLIGHTLINE_FAULT_INVENTORY), each fault is done to it
and mended again: one of each role at a time, and each alone where that goes wrong. The node is
left as it was found. Several names, with commas, are for as many workers of pytest-xdist: one node
each. Faults that no lab node can have are judged on recorded machines: test_recorded.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
import yaml

from flightline.audit.selection import all_checks

ROOT = Path(__file__).parents[2]
FAULTS: dict[str, dict[str, Any]] = {
    name: fault
    for path in sorted((ROOT / "tests" / "faults").glob("*.yaml"))
    for name, fault in (yaml.safe_load(path.read_text()) or {}).items()
}
CHECKS = {each.id: each for each in all_checks()}
ROLES = sorted({each.role for each in CHECKS.values()})
LIVE = [name for name in CHECKS if "machine" not in FAULTS.get(name, {})]
SERVING = ("gateway", "inference", "models", "pki")


def _rounds(roles: list[str]) -> list[tuple[str, ...]]:
    """Faults that are done together, one of each role: one audit judges all of them."""
    by_role = [[name for name in LIVE if CHECKS[name].role == role] for role in roles]
    return [tuple(filter(None, together)) for together in zip_longest(*by_role)]


# Faults of the node come first, on nodes that serve nothing: a fault of dockerd is an engine's too.
ROUNDS = [
    *_rounds([role for role in ROLES if role not in SERVING]),
    *_rounds([role for role in ROLES if role in SERVING]),
]
NODES = [name for name in os.environ.get("FLIGHTLINE_FAULT_NODE", "").split(",") if name]
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
INVENTORY = os.environ.get("FLIGHTLINE_FAULT_INVENTORY", "inventories/lab.py")
GOOD = ("pass", "not-applicable")
RECORDED = {"fault", "machine", "edit"}

Results = dict[str, list[Any]]


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_has_a_fault_that_proves_it(name: str) -> None:
    assert name in FAULTS, f"tests/faults/{CHECKS[name].role}.yaml has no entry {name}"
    assert set(FAULTS[name]) - {"settings"} in ({"fault", "break", "mend"}, RECORDED)
    assert all(str(value).strip() for value in FAULTS[name].values())


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "faults").glob("*.yaml")), ids=str)
def test_a_faults_file_names_only_checks_of_its_role(path: Path) -> None:
    strangers = {
        name
        for name in yaml.safe_load(path.read_text()) or {}
        if name not in CHECKS or CHECKS[name].role != path.stem
    }
    assert not strangers


def _named(names: tuple[str, ...]) -> str:
    """Name a round, so that `-k serving` chooses those for nodes that serve."""
    kind = "serving" if CHECKS[names[0]].role in SERVING else "node"
    return f"{kind}:{','.join(names)}"


class Driver:
    """One long connection to the node under test; see driver.py."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.before: Results = {}

    def sh(self, script: str) -> tuple[int, str]:
        answer = self._ask({"sh": script})
        return answer["status"], answer["said"]

    def audit(self, *checks: str) -> Results:
        results: Results = self._ask({"audit": list(checks)})["results"]
        return results

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the driver ended; its message is above"
        answer: dict[str, Any] = json.loads(line)
        assert not answer.get("trouble"), answer["trouble"]
        return answer

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self.hear()


@pytest.fixture(scope="module")
def node() -> Iterator[Driver]:
    if not NODES:
        pytest.skip("FLIGHTLINE_FAULT_NODE names no converged lab node to break")
    assert len(NODES) > WORKER, "FLIGHTLINE_FAULT_NODE must name a node for each worker"
    name = NODES[WORKER]
    command = [sys.executable, str(Path(__file__).with_name("driver.py")), INVENTORY, name]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        driver = Driver(process)
        assert driver.hear()["ready"] == [name]
        driver.before = driver.audit()
        if alarms := _alarms(driver.before):
            process.terminate()
            pytest.fail(f"{name} is not sound before any fault: {alarms}")
        yield driver
        assert process.stdin
        process.stdin.close()


@pytest.mark.lab
@pytest.mark.parametrize("names", ROUNDS, ids=_named)
def test_faults_turn_exactly_their_checks_red(node: Driver, names: tuple[str, ...]) -> None:
    troubles = _tried(node, names)
    if troubles and len(names) > 1:  # which of them, or only all of them together?
        alone = {name: _tried(node, (name,)) for name in names}
        troubles += [f"{name} alone: {each}" for name, found in alone.items() for each in found]
    assert not troubles, "\n".join(troubles)


def _tried(node: Driver, names: tuple[str, ...]) -> list[str]:
    """Do these faults, audit, mend them, audit; return what was not as it should be."""
    troubles, done, alarms = [], [], {}
    try:
        for name in names:
            status, said = node.sh(FAULTS[name]["break"])
            done.append(name)
            if status:
                troubles.append(f"the fault {name} could not be done: {said}")
        alarms = _alarms(node.audit())
    finally:
        for name in reversed(done):
            status, said = node.sh(FAULTS[name]["mend"])
            if status:
                troubles.append(f"the fault {name} could not be mended: {said}")
    troubles += [f"{name} is not red" for name in names if name not in alarms]
    troubles += [
        f"{name} is red: {why}"
        for name, why in alarms.items()
        if name not in names or not why.startswith("fail: ")
    ]
    after = node.audit(*names)
    # not-applicable before: the fault made it apply, then fail
    wrong = [name for name in names if after[name][0] != node.before[name][0]]
    return [*troubles, *(f"{name} is not mended: {after[name][1]}" for name in wrong)]


@pytest.mark.lab
def test_a_mended_node_passes_every_check(node: Driver) -> None:
    assert not _alarms(node.audit())


def _alarms(results: Results) -> dict[str, str]:
    """Return what is red for a reason of its own."""
    return {
        name: f"{outcome}: {message}"
        for name, (outcome, message, cause) in results.items()
        if outcome not in GOOD and cause is None
    }
