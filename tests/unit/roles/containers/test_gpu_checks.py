"""Beyond the recorded faults: what is not applicable, what is unknown, what passes otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from flightline.audit.answers import Answer, missing
from flightline.audit.judge import judge
from flightline.audit.selection import all_checks
from flightline.gpu.evidence import PCI_BUS
from flightline.report.record import Outcome
from roles.containers.acceptance_checks import BUSY, NO_IMAGE
from roles.containers.settings import ContainersSettings
from tests.machines import machine

CHECKS = {each.id: each for each in all_checks() if each.id.startswith("containers-nvidia-")}
HEALTHY = machine("h100_sxm_8")
DECLARED = HEALTHY.settings["containers"]

PASS, FAIL = Outcome.PASS, Outcome.FAIL
UNKNOWN, NOT_APPLICABLE = Outcome.UNKNOWN, Outcome.NOT_APPLICABLE


def found(
    check: str, *edits: tuple[str, str, str], status: int = 0, **fields: Any
) -> tuple[Outcome, str]:
    """Judge one check on the healthy machine after edits of (answer, pattern, text)."""
    answers = dict(HEALTHY.answers)
    for label, pattern, by in edits:
        command = HEALTHY.labels[label]
        stdout = re.sub(pattern, by, answers[command].stdout.decode(), flags=re.M | re.S)
        answers[command] = replace(answers[command], stdout=stdout.encode(), exit_status=status)
    judged = judge(
        "node",
        (CHECKS[check],),
        {"containers": DECLARED.model_copy(update=fields)},
        lambda asked: _answered(answers, asked),
    )
    finding = judged.findings[check]
    return finding.outcome, finding.message


def _answered(answers: dict[str, Answer], asked: Sequence[str]) -> dict[str, Answer]:
    return {each: answers.get(each) or missing(each, "was not recorded") for each in asked}


@pytest.mark.parametrize("check", CHECKS)
def test_a_node_without_a_gpu_is_not_concerned_and_asked_one_thing(check: str) -> None:
    asked: list[str] = []

    def ask(commands: Sequence[str]) -> dict[str, Answer]:
        asked.extend(commands)
        return {each: Answer(each, 0, b"end\n") for each in commands}

    judged = judge("node", (CHECKS[check],), {"containers": ContainersSettings()}, ask)
    assert judged.findings[check].outcome is NOT_APPLICABLE
    assert "no NVIDIA GPU is on the PCI bus" in judged.findings[check].message
    assert asked == [PCI_BUS]


@pytest.mark.parametrize("check", CHECKS)
def test_a_healthy_machine_passes(check: str) -> None:
    assert found(check)[0] is PASS


@pytest.mark.parametrize("check", CHECKS)
def test_a_toolkit_that_is_not_flightlines_is_not_judged(check: str) -> None:
    assert found(check, nvidia_toolkit="off")[0] is NOT_APPLICABLE


@pytest.mark.parametrize("check", ["containers-nvidia-cdi-current", "containers-nvidia-charlinks"])
@pytest.mark.parametrize("gone", [r"^gpu-driver=[^\n]*$", r"^gpu-node=[^\n]*$"])
def test_without_a_loaded_driver_nothing_passes(check: str, gone: str) -> None:
    assert found(check, ("containers-gpus", gone, ""))[0] is UNKNOWN


def test_a_description_cut_short_is_unknown() -> None:
    cut = ("containers-gpus", "^gpu-end=yes$", "")
    assert found("containers-nvidia-toolkit", cut)[0] is UNKNOWN


def test_an_old_dockerd_is_not_asked_for_cdi() -> None:
    old = ("containers-info", '"28.5.1"', '"20.10.24"')
    assert found("containers-nvidia-cdi", old)[0] is NOT_APPLICABLE


def test_cgroupfs_keeps_gpus_whatever_the_toolkit_does() -> None:
    legacy = ("containers-gpus", 'mode = "auto"', 'mode = "legacy"')
    cgroupfs = ("containers-info", '"CgroupDriver": "systemd"', '"CgroupDriver": "cgroupfs"')
    assert found("containers-nvidia-reload", legacy)[0] is FAIL
    assert found("containers-nvidia-reload", legacy, cgroupfs)[0] is PASS


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [({"nvidia_toolkit_version": "1.18.1"}, PASS), ({"nvidia_toolkit_version": "1.18.1-1"}, PASS),
     ({"nvidia_toolkit_version": "1.19.0"}, FAIL)],
)  # fmt: skip
def test_the_toolkit_is_of_the_declared_version(fields: Any, outcome: Outcome) -> None:
    assert found("containers-nvidia-toolkit", **fields)[0] is outcome


def test_an_unheld_toolkit_is_well_where_nothing_is_held() -> None:
    free = ("containers-gpus", "gpu-package=hi", "gpu-package=ii")
    assert found("containers-nvidia-toolkit", free)[0] is FAIL
    assert found("containers-nvidia-toolkit", free, hold_packages=False)[0] is PASS


@pytest.mark.parametrize("status", [BUSY, NO_IMAGE])
def test_a_proof_that_could_not_be_made_is_unknown(status: int) -> None:
    nothing = ("containers-survives", ".*", "")
    assert found("containers-nvidia-survives", nothing, status=status)[0] is UNKNOWN


def test_without_an_image_the_proof_is_unknown() -> None:
    outcome, message = found("containers-nvidia-survives", nvidia_proof_image=None)
    assert outcome is UNKNOWN
    assert "nvidia_proof_image" in message


@pytest.mark.parametrize(
    ("pattern", "by", "said"),
    [
        (r"^after GPU 7[^\n]*\n", "", "sees 7 GPUs, expected 8 as before"),
        (r"^(before|after) GPU 7[^\n]*\n", "", "sees 7 GPUs, expected 8."),
        (r"^(before|after) GPU[^\n]*$", r"\1 no devices", "could not list GPUs: no devices"),
    ],
)
def test_a_container_that_sees_too_few_gpus_is_no_go(pattern: str, by: str, said: str) -> None:
    outcome, message = found("containers-nvidia-survives", ("containers-survives", pattern, by))
    assert outcome is FAIL
    assert said in message
