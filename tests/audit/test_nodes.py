"""Every check on every node, as a test: `node-1-kernel-swap-off`."""

from __future__ import annotations

import pytest

from flightline.report.record import CheckResult, Outcome
from flightline.report.text import sentence


def test_check(result: CheckResult) -> None:
    if result.outcome in (Outcome.WAIVED, Outcome.NOT_APPLICABLE):
        pytest.skip(f"{result.outcome.value}: {result.message}")
    if result.outcome is not Outcome.PASS:
        pytest.fail(sentence(result), pytrace=False)
