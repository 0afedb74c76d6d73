from __future__ import annotations

import io
import json
from datetime import date
from importlib import resources
from typing import Any
from xml.etree import ElementTree

import jsonschema  # type: ignore[import-untyped]  # it comes without types
import pytest

from flightline.audit.check import Severity
from flightline.audit.verdict import node_verdict, summary
from flightline.report import junit, record, text
from flightline.report.record import CheckResult, NodeResult, Outcome, Report, Run, Verdict, Waiver

WAIVER = Waiver(check="demo-a-b", node="*", reason="known", owner="ops", expires=date(2027, 1, 31))


def result(outcome: Outcome, **changes: Any) -> CheckResult:
    values = {
        "id": f"demo-is-{outcome.value}",
        "role": "demo",
        "claim": "it holds",
        "severity": Severity.ERROR,
        "message": "swap is on, expected off",
        "remedy": "run `flightline apply`",
        **changes,
    }
    return CheckResult(outcome=outcome, **values)


def node(name: str, *checks: CheckResult) -> NodeResult:
    return NodeResult(name=name, verdict=node_verdict(checks), checks=checks)


def report(*nodes: NodeResult, **about: Any) -> Report:
    values = {"id": "r", "started": "2026-11-21T00:00:00+00:00", "seconds": 1.0, "mode": "live"}
    versions = {"inventory": "i.py", "flightline": "0", "testinfra": "0"}
    return Report(
        run=Run.model_validate({**values, **versions, **about}), nodes=nodes, summary=summary(nodes)
    )


MIXED = report(
    node("node-1", result(Outcome.PASS)),
    node(
        "node-2",
        result(Outcome.FAIL),
        result(Outcome.UNKNOWN, message="no sensor"),
        result(Outcome.WAIVED, waiver=WAIVER),
        result(Outcome.NOT_APPLICABLE),
        result(Outcome.UNKNOWN, id="demo-is-suppressed", suppressed_by="demo-is-fail"),
    ),
    warnings=("a waiver excuses nothing",),
)


def shown(of: Report) -> str:
    stream = io.StringIO()
    text.write(of, stream)
    return stream.getvalue()


def test_the_json_is_what_the_schema_says() -> None:
    kept = resources.files("flightline.report").joinpath("schemas/report-1.json").read_text()
    schema = json.loads(kept)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(MIXED.to_json()), schema)
    assert schema == record.json_schema()


@pytest.mark.parametrize(
    ("path", "value"),
    [(("schema",), "other/1"), (("summary", "verdict"), "maybe"), (("nodes", 0, "name"), 7)],
)
def test_the_schema_refuses_what_is_no_report(path: tuple[Any, ...], value: Any) -> None:
    document = json.loads(MIXED.to_json())
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, record.json_schema())


def test_a_report_reads_back_as_it_was_written() -> None:
    assert Report.model_validate_json(MIXED.to_json()) == MIXED


def test_a_failure_is_one_line_with_node_check_message_and_remedy() -> None:
    lines = shown(MIXED).splitlines()
    assert "node-2 demo-is-fail: swap is on, expected off. Run `flightline apply`." in lines
    assert "node-2 demo-is-unknown: unknown: no sensor. Run `flightline apply`." in lines
    assert "Waived by ops until 2027-01-31: known." in shown(MIXED)
    assert "demo-is-suppressed" not in shown(MIXED)
    assert "warning: a waiver excuses nothing" in lines


def test_a_remedy_that_the_message_has_is_not_said_twice() -> None:
    check = result(Outcome.FAIL, message="swap is on; run `flightline apply`.")
    assert text.problem_line("n", check).count("flightline apply") == 1


@pytest.mark.parametrize(
    ("checks", "verdict", "first_word"),
    [
        ([result(Outcome.PASS)], Verdict.GO, "GO:"),
        ([result(Outcome.FAIL)], Verdict.NO_GO, "NO-GO:"),
        ([result(Outcome.FAIL, severity=Severity.WARNING)], Verdict.GO, "GO:"),
        ([result(Outcome.UNKNOWN)], Verdict.UNDECIDED, "UNDECIDED:"),
        ([result(Outcome.UNKNOWN, severity=Severity.WARNING)], Verdict.UNDECIDED, "UNDECIDED:"),
        ([result(Outcome.UNKNOWN), result(Outcome.FAIL)], Verdict.NO_GO, "NO-GO:"),
        (
            [result(Outcome.WAIVED, waiver=WAIVER), result(Outcome.NOT_APPLICABLE)],
            Verdict.GO,
            "GO:",
        ),
    ],
)
def test_the_last_line_is_the_verdict(
    checks: list[CheckResult], verdict: Verdict, first_word: str
) -> None:
    made = report(node("node-1", *checks))
    assert made.summary.verdict is verdict
    assert made.exit_code == {"go": 0, "no-go": 1, "undecided": 2}[verdict.value]
    assert shown(made).splitlines()[-1].startswith(first_word)


def test_markup_in_a_message_is_shown_as_it_is() -> None:
    made = report(node("n", result(Outcome.FAIL, message="[red]x[/red] [always] madvise")))
    assert "[red]x[/red] [always] madvise." in shown(made)


def test_junit_has_a_suite_for_each_node_and_a_case_for_each_check() -> None:
    root = ElementTree.fromstring(junit.to_junit(MIXED))
    suites = {suite.get("name"): suite for suite in root.iter("testsuite")}
    assert set(suites) == {"node-1", "node-2"}
    kinds = {
        case.get("name"): [child.tag for child in case]
        for case in suites["node-2"].iter("testcase")
    }
    assert kinds == {
        "demo-is-fail": ["failure"],
        "demo-is-unknown": ["error"],
        "demo-is-waived": ["skipped"],
        "demo-is-not-applicable": ["skipped"],
        "demo-is-suppressed": ["error"],
    }
    assert suites["node-2"].get("failures") == "1"


def test_junit_survives_control_characters() -> None:
    made = report(node("n", result(Outcome.FAIL, message="bell \x07 and \ud800")))
    assert ElementTree.fromstring(junit.to_junit(made)) is not None
