"""Versions: branches that know the GPU, that still get fixes, that run the images."""

from __future__ import annotations

import pytest

from flightline.report.record import Outcome
from tests.unit.roles.nvidia.recorded import Edit, alarms, finding


def driver(version: str) -> tuple[Edit, ...]:
    return (
        ("smi", "<driver_version>[^<]*", f"<driver_version>{version}"),
        ("smi", "<gsp_firmware_version>[^<]*", f"<gsp_firmware_version>{version}"),
    )


def on(day: str) -> Edit:
    return ("smi", "<timestamp>[^<]*", f"<timestamp>{day}")


def test_a_branch_older_than_the_gpu_is_one_alarm() -> None:
    found = alarms(*driver("550.163.01"), name="b200")
    assert set(found) == {"nvidia-driver-floor"}
    assert "expected branch 570 or newer (b200)" in found["nvidia-driver-floor"]


def test_a_branch_that_dropped_the_gpu_fails_too() -> None:
    outcome, said = finding("nvidia-driver-floor", *driver("595.45.04"), name="v100")
    assert outcome is Outcome.FAIL
    assert "expected branch 580 at most" in said


@pytest.mark.parametrize(
    ("day", "outcome"),
    [("Tue Jun 30 12:00:00 2026", Outcome.PASS), ("Wed Jul 01 12:00:00 2026", Outcome.FAIL)],
)
def test_a_branch_gets_fixes_through_its_last_day(day: str, outcome: Outcome) -> None:
    assert finding("nvidia-driver-lifecycle", *driver("535.274.02"), on(day))[0] is outcome


def test_a_branch_that_the_catalog_does_not_have_is_unknown() -> None:
    assert finding("nvidia-driver-lifecycle", *driver("999.10.01"))[0] is Outcome.UNKNOWN


def test_images_of_the_same_cuda_family_run_on_an_older_driver() -> None:
    older = driver("570.172.08")
    assert finding("nvidia-cuda-supported", *older, image_cuda="12.9")[0] is Outcome.PASS
    assert finding("nvidia-cuda-supported", *older, image_cuda="13.0")[0] is Outcome.FAIL


def test_formats_are_held_against_the_gpus_that_are_there() -> None:
    assert finding("nvidia-dtypes-supported", dtypes=("fp8", "bf16"))[0] is Outcome.PASS
    outcome, said = finding("nvidia-dtypes-supported", dtypes=("fp8", "fp4"))
    assert outcome is Outcome.FAIL
    assert "no hardware for fp4 (NvidiaSettings.dtypes)" in said


def test_firmware_of_another_driver_fails_and_none_at_all_does_not_apply() -> None:
    other = ("smi", "<gsp_firmware_version>[^<]*", "<gsp_firmware_version>570.86.15")
    none = ("smi", "<gsp_firmware_version>[^<]*", "<gsp_firmware_version>N/A")
    assert finding("nvidia-gsp-firmware", other)[0] is Outcome.FAIL
    assert finding("nvidia-gsp-firmware", none)[0] is Outcome.NOT_APPLICABLE


def test_the_gpus_that_differ_from_most_are_named() -> None:
    last = ("smi", "(?s)(.*<vbios_version>)[^<]*", r"\g<1>96.00.01.00.01")
    _, said = finding("nvidia-vbios-uniform", last)
    assert said.startswith("GPU 7 (0000:20:00.0) has VBIOS 96.00.01.00.01, expected 96.00.99.00.01")


def test_without_a_driver_version_nothing_of_it_passes() -> None:
    silent = ("smi", "<driver_version>[^<]*", "<driver_version>N/A")
    assert finding("nvidia-driver-floor", silent)[0] is Outcome.UNKNOWN
    assert finding("nvidia-gsp-firmware", silent)[0] is Outcome.UNKNOWN
