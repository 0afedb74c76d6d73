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
        ("--name chat --version 1 --to=", 2, "expected a folder, rclone:REMOTE:PATH or"),
        ("--name chat --version 1 --to https://h/m", 2, "a web server is no place to write to"),
        ("--name chat --version 1 --to s3://b/m", 2, "expected a folder, rclone:REMOTE:PATH or"),
        ("--name chat --version 1 --to rclone:", 2, "expected rclone:REMOTE:PATH"),
        ("--name chat --version 1 --to rclone:/tmp", 2, "expected rclone:REMOTE:PATH"),
        ("--name chat --version 1 --to oci://r", 2, "expected oci://REGISTRY/REPOSITORY"),
        ("--name chat --version 1 --to m --served-as h", 2, "expected https://HOST/PATH"),
        ("--name chat --version 1 --to m --served-as https://h/m?x=1", 2, "without user"),
        ("--name chat --version 1 --to m --served-as https://u:hunter2@h/m", 2, "is (hidden)"),
    ],
)
def test_publishing_refuses_in_a_sentence(
    project: Path, weights: Path, options: str, status: int, sentence: str
) -> None:
    done = typed(project, f"flightline model publish {weights} {options}")
    assert done.returncode == status
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
    assert not (project / "m").exists()


def test_publishing_other_files_under_a_version_is_a_no(project: Path, weights: Path) -> None:
    line = f"flightline model publish {weights} --name chat --version 1 --to {project}/mirror"
    assert typed(project, line).returncode == 0
    told = json.loads(typed(project, f"{line} --format json").stdout)
    assert told["was_there"] is True
    (weights / "config.json").write_text("[]")
    done = typed(project, line)
    assert done.returncode == 1
    assert "never changes" in done.stderr


def test_a_folder_is_not_published_into_itself(project: Path, weights: Path) -> None:
    done = typed(
        project, f"flightline model publish {weights} --name chat --version 1 --to {weights}/mirror"
    )
    assert done.returncode == 2
    assert "name a folder elsewhere" in done.stderr
    assert sorted(each.name for each in weights.iterdir()) == ["config.json", "model.safetensors"]


def test_a_wrong_name_is_refused_before_the_weights_are_read(project: Path, weights: Path) -> None:
    (weights / "model.safetensors").chmod(0)
    (weights / "not a name").touch()
    done = typed(project, f"flightline model publish {weights} --name Chat --version 1 --to m")
    assert done.returncode == 2
    assert "the name 'Chat' is not one of" in done.stderr
