"""The project is found from any folder inside it, and says so where it is not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flightline import project
from flightline.errors import FlightlineError


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "roles" / "rack").mkdir(parents=True)
    (tmp_path / "roles" / "rack" / "settings.py").write_text("")
    (tmp_path / "deploy.py").write_text("")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("FLIGHTLINE_PROJECT", raising=False)
    return tmp_path


def test_the_root_is_found_from_a_folder_below(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sample / "roles" / "rack")
    assert project.root() == sample
    assert project.role_names() == ("rack",)


def test_entering_puts_the_project_before_installed_packages(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sample)
    project.enter()
    project.enter()
    assert sys.path[0] == str(sample)
    assert sys.path.count(str(sample)) == 1


def test_outside_a_project_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLIGHTLINE_PROJECT", raising=False)
    with pytest.raises(FlightlineError, match="not in a Flightline project"):
        project.root()
