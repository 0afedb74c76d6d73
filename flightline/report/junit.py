"""The report as JUnit XML: a node is a test suite, a check is a test case."""

from __future__ import annotations

import re

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from flightline.report.record import CheckResult, NodeResult, Outcome, Report
from flightline.report.text import problem_line

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(report: Report) -> str:
    """Return the XML: a fail is a failure, unknown an error, waived and not applicable skipped."""
    xml = JUnitXml("flightline audit")
    for node in report.nodes:
        xml.add_testsuite(_suite(node, report))
    written: bytes = xml.tostring()  # type: ignore[no-untyped-call]  # junitparser 5 leaves it untyped
    return written.decode("utf-8") + "\n"


def _suite(node: NodeResult, report: Report) -> TestSuite:
    suite = TestSuite(node.name)
    suite.timestamp = report.run.started
    suite.add_testcases([_case(node, check) for check in node.checks])
    suite.time = node.seconds
    return suite


def _case(node: NodeResult, check: CheckResult) -> TestCase:
    case = TestCase(check.id, classname=f"{node.name}.{check.role}", time=0.0)
    sentence = _NOT_XML.sub("�", problem_line(node.name, check))
    if check.outcome is Outcome.FAIL:
        case.result = [Failure(sentence, check.severity.value)]
    elif check.outcome is Outcome.UNKNOWN:
        case.result = [Error(sentence, "unknown")]
    elif check.outcome in (Outcome.WAIVED, Outcome.NOT_APPLICABLE):
        case.result = [Skipped(sentence)]
    return case
