"""What `render` promises to the roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from flightline.errors import FlightlineError
from flightline.templates import render


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, so that no role's template decides the outcome."""
    (tmp_path / "deploy.py").touch()
    (tmp_path / "roles").mkdir()
    templates = tmp_path / "templates" / "base"
    templates.mkdir(parents=True)
    monkeypatch.setenv("FLIGHTLINE_PROJECT", str(tmp_path))
    return templates


def test_values_are_filled_in_and_the_last_newline_stays(folder: Path) -> None:
    (folder / "a.conf.j2").write_text("a = {{ a }}\n")
    assert render("base/a.conf.j2", a=1) == "a = 1\n"


def test_a_block_tag_leaves_no_empty_line(folder: Path) -> None:
    (folder / "a.j2").write_text("{% for x in xs %}\nx = {{ x }}\n{% endfor %}\nend\n")
    assert render("base/a.j2", xs=[1, 2]) == "x = 1\nx = 2\nend\n"


def test_quotes_and_angles_land_as_written(folder: Path) -> None:
    (folder / "a.j2").write_text("{{ value }}\n")
    assert render("base/a.j2", value="<\"'&>") == "<\"'&>\n"


def test_an_undefined_name_is_one_sentence_with_the_file(folder: Path) -> None:
    (folder / "a.j2").write_text("{{ missing }}\n")
    with pytest.raises(FlightlineError, match=r"base/a\.j2: 'missing' is undefined; pass"):
        render("base/a.j2")


def test_a_missing_template_is_named() -> None:
    with pytest.raises(FlightlineError, match=r"there is no template base/nope\.j2"):
        render("base/nope.j2")


def test_bad_syntax_names_file_and_line(folder: Path) -> None:
    (folder / "a.j2").write_text("ok\n{% if %}\n")
    with pytest.raises(FlightlineError, match=r"templates/base/a\.j2:2: "):
        render("base/a.j2")


def test_values_may_be_called_like_the_parameter(folder: Path) -> None:
    (folder / "a.j2").write_text("{{ source }}\n")
    assert render("base/a.j2", source="x") == "x\n"
