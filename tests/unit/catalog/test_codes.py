"""Severity of Xids and SXids: an unknown code fails closed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline import catalog
from flightline.catalog.model import Xid

TABLE = Path(__file__).parents[4] / "shared/facts/xid_catalog.tsv"


@pytest.mark.parametrize("code", [46, 48, 54, 62, 64, 74, 78, 79, 95, 109, 119, 120, 140, 142, 149])
def test_what_needs_a_reset_or_hands_is_critical(code: int) -> None:
    assert catalog.xid(code).severity == "critical"


@pytest.mark.parametrize("code", [13, 31, 43, 45, 63, 92, 94, 137, 154])
def test_what_an_application_may_cause_is_a_warning(code: int) -> None:
    assert catalog.xid(code).severity == "warning"


def test_a_test_message_is_information() -> None:
    assert catalog.xid(106).severity == "info"


@given(code=st.integers(0, 100_000))
def test_an_unknown_code_is_critical(code: int) -> None:
    for found, known in (
        (catalog.xid(code), {each.code for each in catalog.xids()}),
        (catalog.sxid(code), {each.code for each in catalog.sxids()}),
    ):
        assert found.code == code
        assert found.is_known == (code in known)
        assert found.is_known or found.severity == "critical"


@pytest.mark.parametrize("code", [162, 167, 172])
def test_a_code_without_a_published_action_is_critical(code: int) -> None:
    found = catalog.xid(code)
    assert (found.is_known, found.action, found.severity) == (True, "", "critical")


# NVIDIA Fabric Manager user guide, appendix D: always fatal, fatal, corrected
@pytest.mark.parametrize(
    ("code", "severity"),
    [(12020, "critical"), (22003, "critical"), (20034, "critical"), (11012, "warning")],
)
def test_sxids_have_the_guides_gravity(code: int, severity: str) -> None:
    assert catalog.sxid(code).severity == severity


def test_codes_are_unique() -> None:
    for codes in (catalog.xids(), catalog.sxids()):
        assert len({each.code for each in codes}) == len(codes)


@pytest.mark.parametrize("each", [*catalog.xids(), *catalog.sxids()], ids=lambda each: each.code)
def test_a_code_survives_being_written_and_read(each: Xid) -> None:
    assert Xid.model_validate_json(each.model_dump_json()) == each


@pytest.mark.skipif(not TABLE.is_file(), reason="the extract of NVIDIA's table is not here")
def test_actions_are_those_of_nvidias_table() -> None:
    with TABLE.open() as lines:
        rows = list(csv.reader(lines, delimiter="\t"))
    published = {int(row[0]): row[2].strip() if len(row) > 2 else "" for row in rows}
    assert {each.code: each.action for each in catalog.xids()} == published
