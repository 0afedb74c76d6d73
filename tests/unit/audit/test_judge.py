from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from flightline.audit import guesses
from flightline.audit.answers import Answer
from flightline.audit.judge import MOST_ROUNDS, Judged, judge
from flightline.audit.selection import Selection, select, settings_classes
from flightline.report.record import Outcome

Project = Callable[[str], Path]


def judged(project: Project, checks: str, ask: Any, guess: Any = None) -> Judged:
    project(checks)
    settings = {role: kind() for role, kind in settings_classes().items()}
    return judge("node-1", select(Selection()), settings, ask, guess)


def only(found: Judged) -> tuple[Outcome, str]:
    (finding,) = found.findings.values()
    return finding.outcome, finding.message


def one_check(body: str) -> str:
    return f"""
@check("demo-thing-holds", "the thing holds", severity=ERROR, remedy="mend it")
def thing(host, demo):
    {body}
"""


@pytest.mark.parametrize(
    ("body", "outcome", "message"),
    [
        ("pass", Outcome.PASS, "the thing holds"),
        ('assert False, "it is  3,\\nexpected 4."', Outcome.FAIL, "it is 3, expected 4."),
        ('not_applicable("no GPU")', Outcome.NOT_APPLICABLE, "no GPU"),
        ('unknown("no sensor")', Outcome.UNKNOWN, "no sensor"),
        ("host.no_such_module", Outcome.UNKNOWN, "could not be judged: AttributeError"),
        ('host.check_output("nosuch")', Outcome.FAIL, "`nosuch` ended with exit status 1."),
        ("assert 1 > 2", Outcome.FAIL, "it is not so that the thing holds: `assert 1 > 2`"),
        (
            'host.service("x").is_enabled',
            Outcome.UNKNOWN,
            "could not be judged: NotImplementedError",
        ),
    ],
)
def test_what_a_check_does_decides_its_outcome(
    project: Project, answering: Any, body: str, outcome: Outcome, message: str
) -> None:
    found = only(
        judged(
            project,
            one_check(body),
            answering({"uname -s": "Plan9", "uname -r": "4", "uname -m": "mips"}),
        )
    )
    assert found[0] is outcome
    assert found[1].startswith(message)


def test_a_failing_command_is_quoted_with_what_it_said(project: Project) -> None:
    def ask(commands: Sequence[str]) -> dict[str, Answer]:
        return {each: Answer(each, 2, b"", b"warn\ncannot open: denied\n") for each in commands}

    found = only(judged(project, one_check('host.check_output("peek %s", "a b")'), ask))
    assert found == (
        Outcome.FAIL,
        "`peek 'a b'` ended with exit status 2: cannot open: denied.",
    )


@pytest.mark.parametrize("swallow", ["except Exception", "except BaseException"])
def test_a_check_that_swallows_everything_still_cannot_pass_unmeasured(
    project: Project, swallow: str
) -> None:
    def ask(commands: Sequence[str]) -> dict[str, Answer]:
        return {each: Answer(each, -1, problem="did not end within 60 s.") for each in commands}

    body = f'try:\n        host.run("slow")\n    {swallow}:\n        pass'
    assert only(judged(project, one_check(body), ask)) == (
        Outcome.UNKNOWN,
        "`slow` did not end within 60 s.",
    )


def test_one_round_answers_all_first_questions_and_each_command_is_asked_once(
    project: Project, answering: Any
) -> None:
    checks = "".join(
        f"""
@check("demo-thing-n{number}", "it holds", severity=ERROR, remedy="mend it")
def thing_{number}(host, demo):
    assert host.run("shared").rc == 0 and host.run("own {number}").rc == 0, "bad"
"""
        for number in range(3)
    )
    rounds: list[Sequence[str]] = []
    ask = answering({"shared": "", **{f"own {number}": "" for number in range(3)}})

    def counted(commands: Sequence[str]) -> dict[str, Answer]:
        rounds.append(commands)
        found: dict[str, Answer] = ask(commands)
        return found

    found = judged(project, checks, counted)
    assert [sorted(each) for each in rounds] == [["shared"], ["own 0", "own 1", "own 2"]]
    assert {each.outcome for each in found.findings.values()} == {Outcome.PASS}


MODULES = [
    'assert host.sysctl("vm.swappiness") == 1, "bad"',
    'assert host.service("docker").is_running, "bad"',
    'assert host.package("chrony").is_installed, "bad"',
    'assert host.file("/etc/hosts").mode == 0o644, "bad"',
    'assert host.mount_point("/").filesystem == "ext4", "bad"',
    'assert host.socket("tcp://22").is_listening, "bad"',
    'assert host.interface("eth0").exists, "bad"',
    'assert host.user("nobody").uid == 1, "bad"',
]


@pytest.mark.parametrize("body", MODULES)
def test_detection_by_testinfra_costs_no_round_of_its_own(
    project: Project, answering: Any, body: str
) -> None:
    canned = {**{key: value.decode() for key, value in guesses._DETECTION.items()}}
    canned["systemctl is-active docker"] = "active\n"
    canned["command -v sysctl"] = "/usr/sbin/sysctl\n"
    canned["command -v ss"] = "/usr/bin/ss\n"
    canned["command -v ip"] = "/usr/bin/ip\n"
    found = judged(project, one_check(body), answering(canned), guesses.Guesses())
    assert found.rounds == 1


def test_a_wrong_guess_decides_nothing(project: Project, answering: Any) -> None:
    body = 'assert host.package("chrony").is_installed, "chrony is missing"'
    node = {"uname -s": "Linux", "uname -m": "riscv64", "cat /etc/os-release": "ID=rocky\n"}
    ask = answering({**node, "command -v command": "command", "rpm -q --quiet chrony 2>&1": ""})
    found = judged(project, one_check(body), ask, guesses.Guesses())
    assert only(found)[0] is Outcome.PASS
    assert "rpm -q --quiet chrony 2>&1" in found.answers


def test_a_check_without_end_is_unknown(project: Project, answering: Any) -> None:
    body = 'number = 0\n    while True:\n        host.run(f"step {number}"); number += 1'
    found = judged(project, one_check(body), answering({}))
    assert found.rounds == MOST_ROUNDS
    assert only(found)[0] is Outcome.UNKNOWN


def test_output_that_is_not_utf_8_is_readable(project: Project) -> None:
    def ask(commands: Sequence[str]) -> dict[str, Answer]:
        return {each: Answer(each, 0, b"caf\xe9") for each in commands}

    body = 'assert host.run("name").stdout == "caf\\\\xe9", "bad"'
    assert only(judged(project, one_check(body), ask))[0] is Outcome.PASS
