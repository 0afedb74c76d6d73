"""Publishing to a folder: whole or not at all, and never over another version."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from flightline.errors import FlightlineError
from flightline.serving import publish_local as local
from flightline.serving.manifest import loads
from flightline.serving.publish import OtherVersion, Published, measured


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "weights"
    (made / "sub").mkdir(parents=True)
    (made / "config.json").write_text("{}")
    (made / "sub" / "model.safetensors").write_bytes(os.urandom(100_000))
    (made / "alias.json").symlink_to("config.json")
    return made


def publish(folder: Path, to: Path, version: str = "1") -> Published:
    return local.publish_local(folder, measured(folder, "chat", version), to, None)


def test_the_mirror_has_the_files_and_a_manifest_that_sha256sum_agrees_with(
    folder: Path, tmp_path: Path
) -> None:
    done = publish(folder, tmp_path / "mirror")
    target = tmp_path / "mirror" / "chat" / "1"
    text = (target / "manifest.json").read_text()
    sums = "".join(f"{each.sha256}  {each.path}\n" for each in loads(text, "").files)
    subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet"],
        input=sums,
        text=True,
        cwd=target,
        check=True,
    )
    assert done.manifest.digest == hashlib.sha256(text.encode()).hexdigest()
    assert done.source == f"file://{target}"
    assert [path.name for path in target.parent.iterdir()] == ["1"]
    assert not any(path.is_symlink() for path in target.rglob("*"))


def test_publishing_again_changes_nothing(folder: Path, tmp_path: Path) -> None:
    first = publish(folder, tmp_path / "mirror")
    before = (tmp_path / "mirror" / "chat" / "1").stat().st_ino
    again = publish(folder, tmp_path / "mirror")
    assert (first.was_there, again.was_there) == (False, True)
    assert again.manifest.digest == first.manifest.digest
    assert (tmp_path / "mirror" / "chat" / "1").stat().st_ino == before


def test_a_copy_elsewhere_has_the_same_digest(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-rL", folder, copy], check=True)
    one, other = (publish(each, tmp_path / each.name / "m") for each in (folder, copy))
    assert one.manifest.digest == other.manifest.digest


def test_other_files_under_a_published_version_are_refused(folder: Path, tmp_path: Path) -> None:
    publish(folder, tmp_path / "mirror")
    (folder / "config.json").write_text('{"a": 1}')
    with pytest.raises(OtherVersion, match="never changes") as refused:
        publish(folder, tmp_path / "mirror")
    assert refused.value.exit_code == 1
    assert (tmp_path / "mirror" / "chat" / "1" / "config.json").read_text() == "{}"
    assert publish(folder, tmp_path / "mirror", "2").was_there is False


def test_a_damaged_mirror_is_not_called_published(folder: Path, tmp_path: Path) -> None:
    publish(folder, tmp_path / "mirror")
    (tmp_path / "mirror" / "chat" / "1" / "config.json").unlink()
    with pytest.raises(FlightlineError, match=r"move .* away and publish again"):
        publish(folder, tmp_path / "mirror")


def test_a_folder_without_a_manifest_in_the_way_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mirror" / "chat" / "1").mkdir(parents=True)
    with pytest.raises(FlightlineError, match="move it away"):
        publish(folder, tmp_path / "mirror")


def test_a_file_that_changes_meanwhile_ends_it_and_leaves_nothing(
    folder: Path, tmp_path: Path
) -> None:
    found = measured(folder, "chat", "1")
    (folder / "sub" / "model.safetensors").write_text("[]")
    with pytest.raises(FlightlineError, match=r"model\.safetensors changed"):
        local.publish_local(folder, found, tmp_path / "mirror", None)
    assert list((tmp_path / "mirror" / "chat").iterdir()) == []


def test_the_address_that_nodes_see_is_the_source(folder: Path, tmp_path: Path) -> None:
    found = measured(folder, "chat", "1")
    done = local.publish_local(folder, found, tmp_path / "m", "https://m.example.org/models/")
    assert done.source == "https://m.example.org/models/chat/1"
    assert f'manifest_sha256="{found.digest}"' in done.settings


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda f: (f / "out").symlink_to("/etc/passwd"), "leads out of the folder"),
        (lambda f: (f / "gone").symlink_to("nowhere"), "gone"),
        (lambda f: (f / "folder").symlink_to("sub"), "link to a folder"),
        (lambda f: (f / "empty").mkdir(), "is empty"),
        (lambda f: (f / "a b").write_text(""), "rename it"),
        (lambda f: (f / "a\nb").write_text(""), "rename it"),
        (lambda f: (f / "manifest.json").write_text(""), "manifest's own name"),
        (lambda f: os.mkfifo(f / "pipe"), "no regular file"),
    ],
)
def test_what_no_version_can_hold_is_refused_by_name(
    folder: Path, harm: object, sentence: str
) -> None:
    harm(folder)  # type: ignore[operator]  # one of the functions above
    with pytest.raises(FlightlineError, match=sentence):
        measured(folder, "chat", "1")


def test_an_empty_or_missing_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FlightlineError, match="is empty"):
        measured(tmp_path / "empty", "chat", "1")
    with pytest.raises(FlightlineError, match="is no folder"):
        measured(tmp_path / "missing", "chat", "1")


def test_a_full_disk_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "there")

    monkeypatch.setattr(local, "_put", full)
    with pytest.raises(FlightlineError, match="No space left on device; nothing was published"):
        publish(folder, tmp_path / "mirror")
    assert list((tmp_path / "mirror" / "chat").iterdir()) == []
