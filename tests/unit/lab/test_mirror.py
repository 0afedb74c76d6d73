"""The lab builds from the mirror that this computer itself uses, never from a vendor's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.errors import FlightlineError
from flightline.lab import mirror
from flightline.lab.mirror import Mirror, Source

DEB822 = """\
Types: deb
# a comment between fields
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main contrib
Signed-By:
 /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.test/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """\
# deb http://commented.test/debian bookworm main
deb http://mirror.test/debian trixie main contrib # and a remark
deb-src http://mirror.test/debian trixie main
deb [arch=amd64 signed-by=/etc/apt/keyrings/vendor.gpg] https://vendor.test/linux trixie main
"""
WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)


def test_a_deb822_file_gives_each_enabled_suite_with_its_key() -> None:
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert mirror.parse_deb822(DEB822) == [
        Source("http://mirror.test/debian", "bookworm", ("main",), keyring),
        Source("http://mirror.test/debian", "bookworm-updates", ("main",), keyring),
        Source(
            "http://mirror.test/debian-security", "bookworm-security", ("main", "contrib"), keyring
        ),
    ]


def test_a_one_line_file_gives_its_binary_sources_with_options() -> None:
    assert mirror.parse_list(ONE_LINE) == [
        Source("http://mirror.test/debian", "trixie", ("main", "contrib")),
        Source("https://vendor.test/linux", "trixie", ("main",), "/etc/apt/keyrings/vendor.gpg"),
    ]


@given(st.lists(st.tuples(WORD, WORD, st.lists(WORD, min_size=1, max_size=3)), max_size=5))
def test_both_styles_of_the_same_sources_read_alike(
    entries: list[tuple[str, str, list[str]]],
) -> None:
    one_line = "\n".join(f"deb http://{h}.test/x {s} {' '.join(c)}" for h, s, c in entries)
    deb822 = "\n\n".join(
        f"Types: deb\nURIs: http://{h}.test/x\nSuites: {s}\nComponents: {' '.join(c)}"
        for h, s, c in entries
    )
    assert mirror.parse_list(one_line) == mirror.parse_deb822(deb822)


@given(st.text(max_size=200))
def test_no_text_makes_a_parser_raise(text: str) -> None:
    mirror.parse_list(text)
    mirror.parse_deb822(text)


def test_a_vendors_repository_is_never_taken_for_debian(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)
    assert mirror.among(mirror.sources(tmp_path)) == Mirror(
        "http://mirror.test/debian", "http://mirror.test/debian-security"
    )


def test_a_computer_without_a_debian_mirror_is_told_what_to_set() -> None:
    ubuntu = [Source("http://mirror.test/ubuntu", "noble", ("main", "universe"))]
    with pytest.raises(FlightlineError, match="set FLIGHTLINE_LAB_MIRROR"):
        mirror.among(ubuntu)


def test_the_named_mirror_comes_before_the_computers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLIGHTLINE_LAB_MIRROR", "http://site.test/debian/")
    assert mirror.of_this_computer() == Mirror("http://site.test/debian")


def test_another_suite_comes_from_the_same_mirror_with_its_security_updates() -> None:
    lines = Mirror("http://m.test/debian", "http://m.test/debian-security").lines("trixie")
    assert [line.split("] ")[1] for line in lines] == [
        "http://m.test/debian trixie main",
        "http://m.test/debian trixie-updates main",
        "http://m.test/debian-security trixie-security main",
    ]
    assert all("signed-by=/usr/share/keyrings/debian-archive-keyring.gpg" in line for line in lines)
