"""`flightline model publish` refuses in a sentence, and never writes over a version."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.unit.test_bad_input import project, typed

__all__ = ["project"]


@pytest.fixture
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(os.urandom(300_000))
    return folder


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        ("--name Chat --version 1 --to m", 2, "the name 'Chat'"),
        ("--name chat --version current --to m", 2, "the version 'current'"),
        ("--name chat --version 1 --to oci://r/x --served-as https://h/m", 2, "leave it out"),
        ("--name chat --version 1", 2, "--to"),
    ],
)
def test_publishing_refuses_in_a_sentence(
    project: Path, weights: Path, options: str, status: int, sentence: str
) -> None:
    done = typed(project, f"flightline model publish {weights} {options}")
    assert done.returncode == status
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_publishing_other_files_under_a_version_is_a_no(project: Path, weights: Path) -> None:
    line = f"flightline model publish {weights} --name chat --version 1 --to {project}/mirror"
    assert typed(project, line).returncode == 0
    told = json.loads(typed(project, f"{line} --format json").stdout)
    assert told["was_there"] is True
    (weights / "config.json").write_text("[]")
    done = typed(project, line)
    assert done.returncode == 1
    assert "never changes" in done.stderr
