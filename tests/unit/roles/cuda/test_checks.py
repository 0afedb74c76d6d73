"""Beyond the recorded faults: what is not applicable, what is unknown, what passes otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from flightline.audit.answers import Answer
from flightline.audit.judge import judge
from flightline.audit.selection import all_checks
from flightline.report.record import Outcome
from roles.cuda.settings import CudaSettings
from tests.machines import machine
from tests.machines.cuda import SOUND

CHECKS = {each.id: each for each in all_checks() if each.role == "cuda"}
DECLARED = machine("h100_sxm_8").settings["cuda"]


def found(check: str, settings: Any, text: str = SOUND) -> tuple[Outcome, str]:
    judged = judge(
        "node",
        (CHECKS[check],),
        {"cuda": settings},
        lambda asked: {each: Answer(each, 0, text.encode()) for each in asked},
    )
    return judged.findings[check].outcome, judged.findings[check].message


@pytest.mark.parametrize("check", CHECKS)
def test_where_no_toolkit_is_declared_nothing_is_asked(check: str) -> None:
    judged = judge("node", (CHECKS[check],), {"cuda": CudaSettings()}, lambda _: pytest.fail())
    finding = judged.findings[check]
    assert finding.outcome is Outcome.NOT_APPLICABLE
    assert "containers carry their own" in finding.message


@pytest.mark.parametrize("check", CHECKS)
def test_a_machine_as_declared_passes(check: str) -> None:
    assert found(check, DECLARED)[0] is Outcome.PASS


@pytest.mark.parametrize("check", CHECKS)
def test_an_answer_cut_short_never_passes(check: str) -> None:
    assert found(check, DECLARED, "toolkit=/usr/local/cuda-12.8 12.8\n")[0] is Outcome.UNKNOWN


@pytest.mark.parametrize("check", ["cuda-profile-paths", "cuda-linker-paths"])
def test_paths_are_judged_only_where_asked(check: str) -> None:
    settings = CudaSettings(versions=("12.8", "13.0"), default="12.8")
    assert found(check, settings)[0] is Outcome.NOT_APPLICABLE


def test_another_update_than_the_declared_one_is_told() -> None:
    settings = DECLARED.model_copy(update={"versions": ("12.8.0", "13.0"), "default": "12.8.0"})
    outcome, message = found("cuda-packages-held", settings)
    assert outcome is Outcome.FAIL
    assert "cuda-toolkit-12-8 is 12.8.1-1, expected 12.8.0" in message


def test_the_distributions_toolkit_is_judged_in_usr() -> None:
    settings = CudaSettings(versions=("11.8",), source="distribution")
    text = "toolkit=/usr 11.8\npackage=hi  nvidia-cuda-toolkit 11.8.89~11.8.0-5\nend=yes\n"
    assert found("cuda-toolkit-versions", settings, text)[0] is Outcome.PASS
    assert found("cuda-packages-held", settings, text)[0] is Outcome.PASS
    assert found("cuda-toolkit-default", settings, text)[0] is Outcome.NOT_APPLICABLE
