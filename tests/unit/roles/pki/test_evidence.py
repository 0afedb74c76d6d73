"""Whatever a node prints, the parsers say what it is or that it is nothing."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roles.pki.evidence import Certificate, constraint_of, parse_report
from roles.pki.facts import parse_certificates
from tests.machines.pki import FOLDER

SOUND = (FOLDER / "evidence.txt").read_text()


def test_an_answer_that_was_cut_short_is_no_answer() -> None:
    lines = SOUND.splitlines()
    with pytest.raises(ValueError, match="cut short"):
        parse_report("\n".join(lines[:-1]))


@given(st.data())
def test_a_spoilt_answer_is_a_report_or_a_value_error(data: st.DataObject) -> None:
    lines = SOUND.splitlines()
    place = data.draw(st.integers(0, len(lines) - 1))
    lines[place] = data.draw(st.text(max_size=40))
    with contextlib.suppress(ValueError):
        found = parse_report("\n".join(lines))
        for each in found.present().values():
            assert each.names is not None
            assert isinstance(each.starts, float)


@given(st.lists(st.text(max_size=30)))
def test_any_lines_are_a_state_or_a_value_error(lines: list[str]) -> None:
    with contextlib.suppress(ValueError):
        parse_certificates([*lines, "end"])


def test_openssl_3_0_and_3_5_are_read_alike() -> None:
    """3.2 and later print `O=Flightline`, and indent dates otherwise (Debian 13, 3.5.7)."""
    old = Certificate(("Not Before: Nov 21 14:19:07 2026 GMT",), "600 root:root")
    new = Certificate(("Not Before:Nov 21 14:19:07 2026 GMT",), "600 root:root")
    assert old.starts == new.starts == 1795270747


def test_constraints_are_written_as_openssl_does() -> None:
    assert constraint_of(("gpu-01", "10.0.0.7", "2001:db8::7")) == {
        "DNS:gpu-01",
        "IP:10.0.0.7/255.255.255.255",
        "IP:2001:DB8:0:0:0:0:0:7/FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF",
    }
