from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from flightline.audit import runner
from flightline.audit.check import Severity
from flightline.audit.verdict import summary
from flightline.cli import cli
from flightline.report.record import CheckResult, NodeResult, Outcome, Report, Run, Verdict

VERDICTS = {
    Outcome.PASS: Verdict.GO,
    Outcome.FAIL: Verdict.NO_GO,
    Outcome.UNKNOWN: Verdict.UNDECIDED,
}


def made(outcome: Outcome) -> Report:
    check = CheckResult(
        id="demo-word-spoken",
        role="demo",
        claim="it speaks",
        outcome=outcome,
        severity=Severity.ERROR,
        message="silence",
        remedy="teach it",
    )
    nodes = (NodeResult(name="node-1", verdict=VERDICTS[outcome], checks=(check,)),)
    run = Run(
        id="r", started="s", seconds=0, mode="live", inventory="i", flightline="0", testinfra="0"
    )
    return Report(run=run, nodes=nodes, summary=summary(nodes))


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "roles").mkdir()
    (tmp_path / "deploy.py").touch()
    monkeypatch.chdir(tmp_path)

    def set_to(wanted: Outcome) -> None:
        monkeypatch.setattr(runner, "audit", lambda *_, **__: made(wanted))

    yield set_to


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["audit", *arguments])


@pytest.mark.parametrize(
    ("found", "code"), [(Outcome.PASS, 0), (Outcome.FAIL, 1), (Outcome.UNKNOWN, 2)]
)
@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_the_exit_code_is_the_verdict_in_every_format(
    outcome: Any, found: Outcome, code: int, form: str
) -> None:
    outcome(found)
    assert typed("i.py", "--format", form).exit_code == code


def test_json_on_stdout_is_nothing_but_json(outcome: Any) -> None:
    outcome(Outcome.FAIL)
    done = typed("i.py", "--format", "json", "--stats")
    assert json.loads(done.stdout)["schema"] == "flightline.report/1"
    assert "node-1 demo-word-spoken: silence. Teach it." in done.stderr


def test_output_writes_the_file_and_tells_the_person_on_stderr(
    outcome: Any, tmp_path: Path
) -> None:
    outcome(Outcome.FAIL)
    done = typed("i.py", "--format", "junit", "--output", "out/report.xml")
    assert done.stdout == "" and "NO-GO" in done.stderr
    assert ElementTree.parse(tmp_path / "out" / "report.xml").getroot().tag == "testsuites"


@pytest.mark.parametrize("arguments", [(), ("i.py", "--from", "folder")])
def test_an_inventory_or_a_recording_is_wanted_and_not_both(arguments: tuple[str, ...]) -> None:
    done = typed(*arguments)
    assert done.exit_code == 2
    assert "one of the two" in done.stderr


def test_a_folder_that_is_no_recording_is_a_sentence(outcome: Any) -> None:
    done = typed("--from", "nowhere")
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: ") and "Traceback" not in done.stderr
