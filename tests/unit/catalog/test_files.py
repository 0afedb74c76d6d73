"""A wrong entry is refused with one sentence that names file, entry and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from flightline.catalog.files import entries
from flightline.errors import FlightlineError

FIGURE = "{value: 1, unit: Gb/s, source: someone, date: 2026-11-20}"


def refused(path: Path, text: str, section: str = "rdma") -> str:
    path.write_text(text)
    with pytest.raises(FlightlineError) as caught:
        list(entries(path, section))
    assert "\n" not in caught.value.message
    assert str(path) in caught.value.message
    return caught.value.message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.yaml"


@pytest.mark.parametrize("field", ["unit", "source", "date"])
def test_a_figure_without_unit_source_or_date_is_refused(path: Path, field: str) -> None:
    fields = {"value": "1", "unit": "Gb/s", "source": "someone", "date": "2026-11-20"}
    del fields[field]
    figure = ", ".join(f"{name}: {value}" for name, value in fields.items())
    said = refused(path, f"rdma:\n  - {{rate_gbps: 100, floor: {{{figure}}}}}\n")
    assert f"rdma 100, field floor.{field}: it is missing" in said


def test_a_source_that_is_not_named_leaves_the_date_missing(path: Path) -> None:
    said = refused(path, "rdma:\n  - {rate_gbps: 100, floor: {value: 1, unit: W, source: azhnc}}\n")
    assert "field floor.date: it is missing" in said


def test_a_named_source_gives_text_and_date(path: Path) -> None:
    path.write_text(
        "sources:\n  a: {source: A table, date: 2026-01-02}\n"
        "rdma:\n  - {rate_gbps: 100, floor: {value: 90, unit: Gb/s, source: a}}\n"
    )
    (port,) = (entry.model_dump() for entry in entries(path, "rdma"))
    assert port["floor"]["source"] == "A table"
    assert str(port["floor"]["date"]) == "2026-01-02"


def test_a_field_that_does_not_exist_is_refused(path: Path) -> None:
    said = refused(path, f"rdma:\n  - {{rate_gbps: 100, flor: 1, floor: {FIGURE}}}\n")
    assert "rdma 100, field flor: there is no such field" in said


def test_text_where_a_number_is_expected_is_refused(path: Path) -> None:
    said = refused(path, f"rdma:\n  - {{rate_gbps: fast, floor: {FIGURE}}}\n")
    assert "rdma fast, field rate_gbps" in said
    assert "'fast'" in said


def test_a_section_that_does_not_exist_is_refused(path: Path) -> None:
    assert "there is no section gpu" in refused(path, "gpu: []\n")


@pytest.mark.parametrize("text", ["- 1\n", "rdma: 5\n", "rdma: [7]\n", "sources: []\n", "a: [\n"])
def test_yaml_of_another_shape_is_a_sentence(path: Path, text: str) -> None:
    refused(path, text)


def test_bytes_that_are_no_text_are_a_sentence(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00gpus")
    with pytest.raises(FlightlineError, match="cannot be read"):
        list(entries(path, "gpus"))
