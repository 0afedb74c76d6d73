from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flightline.audit import live, runner
from flightline.audit.check import Phase
from flightline.audit.collect import Pace
from flightline.audit.selection import settings_classes
from flightline.errors import FlightlineError
from flightline.report.record import Outcome, Report, Verdict

Project = Callable[[str], Path]

CHECKS = """
@check("demo-root-exists", "there is a root folder", severity=CRITICAL, remedy="reinstall")
def root(host, demo):
    assert host.file("/").is_directory, "there is no root folder."

@check("demo-word-spoken", "the node says the word", severity={severity}, remedy="teach it",
       depends=("demo-root-exists",))
def word(host, demo):
    said = host.run("echo {said}").stdout.strip()
    assert said == demo.word, f"the node says {{said}}, expected {{demo.word}} (DemoSettings.word)."

@check("demo-word-repeated", "the node repeats the word", severity=ERROR, remedy="teach it",
       depends=("demo-word-spoken",))
def repeated(host, demo):
    assert host.run("echo {said}").stdout.strip() == demo.word, "not repeated."
"""


def checks(said: str = "hello", severity: str = "ERROR") -> str:
    return CHECKS.format(said=said, severity=severity)


def outcomes(report: Report, node: int = 0) -> dict[str, Outcome]:
    return {each.id: each.outcome for each in report.nodes[node].checks}


def test_a_sound_node_is_go_after_one_remote_command(project: Project, session: Any) -> None:
    project(checks())
    report = runner.audit("i.py", session=session)
    assert (report.summary.verdict, report.exit_code) == (Verdict.GO, 0)
    assert len(session.sent) == report.nodes[0].remote_commands == 1


def test_a_failure_is_no_go_and_suppresses_what_depends_on_it(
    project: Project, session: Any
) -> None:
    project(checks(said="goodbye"))
    report = runner.audit("i.py", session=session)
    assert report.exit_code == 1
    assert outcomes(report) == {
        "demo-root-exists": Outcome.PASS,
        "demo-word-spoken": Outcome.FAIL,
        "demo-word-repeated": Outcome.UNKNOWN,
    }
    assert report.nodes[0].checks[2].suppressed_by == "demo-word-spoken"


def test_a_warning_is_reported_but_go(project: Project, session: Any) -> None:
    project(checks(said="goodbye", severity="WARNING"))
    wanted = runner.Wanted(runner.Selection(checks=("demo-word-spoken",)))
    report = runner.audit("i.py", wanted, session=session)
    assert (report.exit_code, report.summary.counts[Outcome.FAIL]) == (0, 1)


def test_evidence_points_at_the_line_of_the_answer(project: Project, session: Any) -> None:
    folder = project(checks())
    report = runner.audit("i.py", session=session)
    assert report.run.recording is not None
    (reference,) = report.nodes[0].checks[1].evidence
    name, line = reference.split("#")
    lines = (folder / report.run.recording / name).read_text().splitlines()
    answer = json.loads(lines[int(line) - 1])
    assert (answer["command"], answer["exit_status"], answer["stdout"]) == (
        "echo hello",
        0,
        "hello\n",
    )


def test_a_recording_judges_the_same_without_a_node(project: Project, session: Any) -> None:
    project(checks(said="goodbye"))
    first = runner.audit("i.py", session=session)
    assert first.run.recording is not None
    again = runner.replay(Path(first.run.recording).parent)
    assert [each.checks for each in again.nodes] == [each.checks for each in first.nodes]
    assert (again.run.mode, again.exit_code) == ("replay", 1)


def test_a_recording_is_judged_with_its_own_settings(project: Project, session: Any) -> None:
    project(checks(said="goodbye"))
    kind = settings_classes()["demo"]
    session.hosts[0].data["demo"] = kind(word="goodbye")
    report = runner.audit("i.py", session=session)
    assert report.exit_code == 0
    assert runner.replay(Path(str(report.run.recording))).exit_code == 0


def test_a_question_that_was_not_recorded_is_unknown(project: Project, session: Any) -> None:
    project(checks())
    wanted = runner.Wanted(runner.Selection(checks=("demo-root-exists",)))
    report = runner.audit("i.py", wanted, session=session)
    again = runner.replay(Path(str(report.run.recording)))
    assert outcomes(again)["demo-word-spoken"] is Outcome.UNKNOWN
    assert "is not in the recording" in again.nodes[0].checks[1].message
    assert again.exit_code == 2


def test_no_record_keeps_nothing(project: Project, session: Any) -> None:
    folder = project(checks())
    report = runner.audit("i.py", session=session, record=False)
    assert report.run.recording is None and not (folder / "flightline-runs").exists()


def test_an_unreachable_node_is_one_problem_and_undecided(project: Project, session: Any) -> None:
    project(checks())
    session.failed["node-2"] = "node-2: no route to host."
    report = runner.audit("i.py", session=session)
    alarms = [each for each in report.nodes[1].checks if each.is_alarm]
    assert [each.message for each in alarms] == ["no route to host."]
    assert len(report.nodes[1].checks) == 4
    assert [each.verdict for each in report.nodes] == [Verdict.GO, Verdict.UNDECIDED]
    assert report.exit_code == 2


def test_a_node_lost_in_the_middle_does_not_stop_the_others(
    project: Project, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(checks())
    session.hosts.append(type(session.hosts[0])("node-2"))
    sound = live._as_root

    def lossy(host: Any, script: str, pace: Pace) -> str:
        if host.name == "node-1":
            raise live.Unreachable("the connection was lost.")
        return sound(host, script, pace)

    monkeypatch.setattr(live, "_as_root", lossy)
    report = runner.audit("i.py", session=session)
    assert [each.verdict for each in report.nodes] == [Verdict.UNDECIDED, Verdict.GO]


def test_a_waiver_excuses_until_it_expires(project: Project, session: Any) -> None:
    folder = project(checks(said="goodbye"))
    waiver = "- {{check: demo-word-spoken, node: '*', reason: r, owner: o, expires: {}}}\n"
    (folder / "waivers.yaml").write_text(waiver.format("2999-01-01"))
    wanted = runner.Wanted(runner.Selection(checks=("demo-root-exists", "demo-word-spoken")))
    report = runner.audit("i.py", wanted, session=session)
    assert (report.exit_code, outcomes(report)["demo-word-spoken"]) == (0, Outcome.WAIVED)
    (folder / "waivers.yaml").write_text(waiver.format("2020-01-01"))
    report = runner.audit("i.py", wanted, session=session)
    assert (report.exit_code, outcomes(report)["demo-word-spoken"]) == (1, Outcome.FAIL)
    assert "expired on 2020-01-01" in report.nodes[0].checks[1].message


def test_nothing_to_judge_is_never_a_pass(project: Project, session: Any) -> None:
    project(checks())
    nothing = runner.Wanted(runner.Selection(phase=Phase.ACCEPTANCE))
    with pytest.raises(FlightlineError, match="no check is left"):
        runner.audit("i.py", nothing, session=session)
    session.hosts.clear()
    with pytest.raises(FlightlineError, match="no node is left"):
        runner.audit("i.py", session=session, record=False)


@pytest.mark.parametrize(
    ("selection", "sentence"),
    [
        (runner.Selection(roles=("dmo",)), "there is no role dmo; did you mean demo"),
        (runner.Selection(checks=("demo-root-exist",)), "did you mean demo-root-exists"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(
    project: Project, session: Any, selection: runner.Selection, sentence: str
) -> None:
    project(checks())
    with pytest.raises(FlightlineError, match=sentence):
        runner.audit("i.py", runner.Wanted(selection), session=session)


def test_a_checks_file_that_cannot_be_loaded_is_named(project: Project, session: Any) -> None:
    project("import nosuchmodule\n")
    with pytest.raises(FlightlineError, match=r"roles/demo/checks\.py:\d+: ModuleNotFoundError"):
        runner.audit("i.py", session=session)


def test_secrets_of_a_node_are_not_recorded(project: Project, session: Any) -> None:
    project(checks())
    session.hosts[0].data.update(ssh_password="hunter2", _sudo_password="hunter2", rack="r1")
    report = runner.audit("i.py", session=session)
    manifest = (Path(str(report.run.recording)) / "manifest.json").read_text()
    assert "hunter2" not in manifest and '"r1"' in manifest


def test_lead_ins_of_one_audit_save_a_round_in_the_next(project: Project, session: Any) -> None:
    project("""
@check("demo-chain-holds", "a chain", severity=ERROR, remedy="r")
def chain(host, demo):
    name = host.run("echo first").stdout.strip()
    assert host.run("printf again-%s", name).stdout == "again-first", "no"
""")
    runner.audit("i.py", session=session)
    assert len(session.sent) == 2
    runner.audit("i.py", session=session)
    assert len(session.sent) == 3
