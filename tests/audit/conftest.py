"""`pytest tests/audit --inventory inventories/lab.py -k kernel`: the audit as plain pytest.

The audit runs once, in its own process; the tests judge its recording. `--recording` judges an
earlier one. Without either there is nothing to collect here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flightline.audit.runner import replay
from flightline.report.record import CheckResult

ROOT = Path(__file__).parents[2]
RECORDING = "FLIGHTLINE_PYTEST_RECORDING"  # the workers of pytest-xdist judge the same recording
NO_GO, UNDECIDED = 1, 2


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("flightline")
    group.addoption("--inventory", metavar="FILE", help="audit the nodes of this inventory")
    group.addoption("--limit", metavar="NODE", help="only this node, group or pattern of it")
    group.addoption("--recording", metavar="FOLDER", help="judge this recording instead")


def pytest_configure(config: pytest.Config) -> None:
    if recorded := config.getoption("--recording", default=None):
        os.environ[RECORDING] = str(Path(recorded).absolute())
    elif config.getoption("--inventory", default=None) and not hasattr(config, "workerinput"):
        os.environ[RECORDING] = _audited(config)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    nodes_wanted = collection_path.name == "test_nodes.py" and RECORDING not in os.environ
    return True if nodes_wanted else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "result" not in metafunc.fixturenames:
        return
    report = replay(Path(os.environ[RECORDING]))
    found: dict[str, CheckResult] = {
        f"{node.name}-{check.id}": check for node in report.nodes for check in node.checks
    }
    metafunc.parametrize("result", list(found.values()), ids=list(found))


def _audited(config: pytest.Config) -> str:
    inventory = str(Path(config.getoption("--inventory")).absolute())
    limit = config.getoption("--limit")
    command = [sys.executable, "-m", "flightline", "audit", inventory, "--format", "json"]
    done = subprocess.run(
        [*command, *(["--limit", limit] if limit else [])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise pytest.UsageError(done.stderr.strip().removeprefix("Error: "))
    return _recording(done.stdout)


def _recording(printed: str) -> str:
    from flightline.report.record import Report

    recorded = Report.model_validate_json(printed).run.recording
    assert recorded is not None
    return str(ROOT / recorded)
