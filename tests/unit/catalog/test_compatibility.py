"""Expected answers: docs.nvidia.com/deploy/cuda-compatibility, read 2026-11-21."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline import catalog
from flightline.catalog.records import cuda_families, cuda_releases
from flightline.errors import FlightlineError

NATIVE, MINOR, PACKAGE, NEVER = "native", "minor", "package", "never"


def verdict(driver: str, cuda: str, gpu: str | None = None) -> str:
    fit = catalog.runs_cuda(driver, cuda, catalog.gpu(gpu) if gpu else None)
    answers = (
        fit.is_native,
        fit.needs_minor_compatibility,
        fit.needs_forward_package,
        fit.is_impossible,
    )
    assert sum(answers) == 1
    assert fit.sentence.endswith(".")
    return (NATIVE, MINOR, PACKAGE, NEVER)[answers.index(True)]


@pytest.mark.parametrize(
    ("driver", "cuda", "gpu", "expected"),
    [
        ("580.105.08", "13.0", None, NATIVE),
        ("580.105.08", "12.4", None, NATIVE),
        ("580", "13.0", None, NATIVE),
        ("580", "13.1", None, MINOR),
        ("580.65.06", "13.0", None, NATIVE),
        ("580.65.05", "13.0", None, PACKAGE),
        ("590.44.01", "13.1", None, NATIVE),
        ("570.86.15", "13.0", "h100_sxm_80", PACKAGE),
        ("570.86.15", "13.0", "rtx_4090", NEVER),
        ("570.86.15", "12.9", "rtx_4090", MINOR),
        ("535.54.03", "12.8", "rtx_4090", MINOR),
        ("525.60.13", "12.9", None, MINOR),
        ("525.60.12", "12.9", None, PACKAGE),
        ("470.57.02", "12.2", "a100_sxm_80", PACKAGE),
        ("470.57.02", "11.8", None, MINOR),
        ("580.105.08", "13.0", "v100_sxm2_16", NEVER),
        ("580.105.08", "12.9", "v100_sxm2_16", NATIVE),
        ("580.105.08", "13.0.1", None, NATIVE),
        ("560.35.03", "13.0", "h100_sxm_80", NEVER),  # SGLang 25.10 notes, driver requirements
        ("550.54.15", "13.0", "h100_sxm_80", PACKAGE),
        ("565.57.01", "12.7", None, NATIVE),
        ("560.35.03", "12.7", None, MINOR),
        ("999.1", "14.0", None, NEVER),
        ("580.105.08", "13.9", None, MINOR),
    ],
)
def test_a_driver_runs_what_nvidia_says(
    driver: str, cuda: str, gpu: str | None, expected: str
) -> None:
    assert verdict(driver, cuda, gpu) == expected


def test_an_impossible_image_is_named_with_the_driver_that_it_needs() -> None:
    said = catalog.runs_cuda("570", "13.0", catalog.gpu("rtx_4090")).sentence
    assert "CUDA 13.0 needs driver 580.65.06 or newer, found 570" in said


@pytest.mark.parametrize(
    ("driver", "cuda"), [("580", "13"), ("", "12.8"), ("58", "12.8"), ("x", "y")]
)
def test_text_that_is_no_version_is_a_sentence(driver: str, cuda: str) -> None:
    with pytest.raises(FlightlineError, match="is none; write it as"):
        catalog.runs_cuda(driver, cuda, None)


ORDER = {NEVER: 0, PACKAGE: 0, MINOR: 1, NATIVE: 2}
"""Forward compatibility comes and goes with the branch, so both are the bottom."""
drivers = st.tuples(st.integers(470, 640), st.integers(0, 250)).map(lambda v: f"{v[0]}.{v[1]:02}")
cudas = st.sampled_from([release.version for release in cuda_releases()])


@given(older=drivers, newer=drivers, cuda=cudas)
def test_a_newer_driver_never_runs_less(older: str, newer: str, cuda: str) -> None:
    if [int(part) for part in older.split(".")] > [int(part) for part in newer.split(".")]:
        older, newer = newer, older
    assert ORDER[verdict(older, cuda)] <= ORDER[verdict(newer, cuda)]


def test_releases_and_their_drivers_rise_together() -> None:
    def version(text: str) -> tuple[int, ...]:
        return tuple(map(int, text.split(".")))

    releases = [(version(each.version), version(each.driver)) for each in cuda_releases()]
    assert releases == sorted(releases)
    assert [driver for _, driver in releases] == sorted(driver for _, driver in releases)


def test_every_release_is_of_a_known_family() -> None:
    majors = {family.major for family in cuda_families()}
    assert {int(each.version.split(".")[0]) for each in cuda_releases()} == majors


@pytest.mark.parametrize("branch", catalog.branches(), ids=lambda branch: str(branch.number))
def test_a_branch_runs_its_own_cuda_natively(branch: catalog.DriverBranch) -> None:
    assert verdict(str(branch.number), branch.cuda) == NATIVE
