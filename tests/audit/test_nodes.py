"""Every check on every node, as a test: `node-1-kernel-swap-off`."""

from __future__ import annotations

import pytest

from flightline.report.record import CheckResult, Outcome


def test_check(result: CheckResult) -> None:
    if result.outcome in (Outcome.WAIVED, Outcome.NOT_APPLICABLE):
        pytest.skip(f"{result.outcome.value}: {result.message}")
    if result.outcome is not Outcome.PASS:
        pytest.fail(f"{result.outcome.value}: {result.message} {result.remedy}", pytrace=False)
