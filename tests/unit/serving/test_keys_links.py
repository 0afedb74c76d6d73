"""A keys file that is a symbolic link: what it leads to is locked and changed, the link stays."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from flightline.serving import keys
from tests.unit.serving.test_keys import key


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "secrets" / "fleet.yaml", tmp_path / "project" / "keys.yaml"
    keys.write(target, [])
    link.parent.mkdir()
    link.symlink_to("../secrets/fleet.yaml")
    keys.write(link, [key()])
    assert link.readlink() == Path("../secrets/fleet.yaml")
    assert keys.read(target) == keys.read(link) == (key(),)
    assert target.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in target.parent.iterdir()] == ["fleet.yaml"]


def test_a_link_to_a_file_that_is_still_to_be_written_is_followed(tmp_path: Path) -> None:
    link = tmp_path / "keys.yaml"
    link.symlink_to(tmp_path / "later" / "keys.yaml")
    with keys.locked(link):
        keys.write(link, [key()])
    assert link.is_symlink()
    assert keys.read(tmp_path / "later" / "keys.yaml") == (key(),)


def test_a_file_is_locked_for_all_that_lead_to_it(tmp_path: Path) -> None:
    link = tmp_path / "project" / "keys.yaml"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "keys.yaml")
    with keys.locked(link):
        folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(folder)


def test_links_in_a_circle_are_an_error_of_the_system(tmp_path: Path) -> None:
    link = tmp_path / "keys.yaml"
    link.symlink_to(link)
    with keys.locked(link), pytest.raises(OSError, match="symbolic links"):
        keys.read(link)
