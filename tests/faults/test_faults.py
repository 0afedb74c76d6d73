"""Every check turns red when what it watches is broken on a real node, and no other check does.

Without a node, this proves that each check has a fault. With FLIGHTLINE_FAULT_NODE naming a
converged node of inventories/lab.py (or of FLIGHTLINE_FAULT_INVENTORY), each fault is done to it
and mended again. The node is left as it was found. Several names, with commas, are for as many
workers of pytest-xdist: one node each. Faults that no lab node can have are judged on recorded
machines: test_recorded.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
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
LIVE = [name for name in CHECKS if "machine" not in FAULTS.get(name, {})]
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
@pytest.mark.parametrize("name", LIVE)
def test_a_fault_turns_exactly_its_check_red(node: Driver, name: str) -> None:
    fault = FAULTS[name]
    outcome = node.before[name][0]  # not-applicable here: the fault makes it apply, then fail
    try:
        status, said = node.sh(fault["break"])
        assert status == 0, f"the fault could not be done: {said}"
        alarms = _alarms(node.audit())
    finally:
        status, said = node.sh(fault["mend"])
    assert status == 0, f"the fault could not be mended: {said}"
    after = node.audit(name)[name]
    assert set(alarms) == {name}, alarms
    assert alarms[name].startswith("fail: "), alarms
    assert after[0] == outcome, f"still red after mending: {after[1]}"


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
