"""An image's name says what is in it; its recipe is sound shell and carries no secret."""

from __future__ import annotations

import os
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from freezegun import freeze_time

from flightline.errors import FlightlineError
from flightline.lab import image, keys, places, recipe
from flightline.lab.mirror import Mirror

MIRROR = Mirror("http://mirror.test/debian", "http://mirror.test/debian-security")
SCRIPTS = ("image.sh", "disk.sh")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_recipe_is_shell_that_dash_reads(script: str) -> None:
    text = (files("flightline.lab") / script).read_bytes()
    assert subprocess.run(["dash", "-n"], input=text, check=False).returncode == 0


def test_the_same_week_gives_the_same_image_and_the_next_one_another() -> None:
    with freeze_time("2026-11-16"):
        monday = recipe.content_key("bookworm", MIRROR)
    with freeze_time("2026-11-22"):
        sunday = recipe.content_key("bookworm", MIRROR)
    with freeze_time("2026-11-23"):
        next_monday = recipe.content_key("bookworm", MIRROR)
    assert monday == sunday != next_monday


def test_suite_and_mirror_are_part_of_an_images_name() -> None:
    names = {recipe.content_key(suite, MIRROR) for suite in ("bookworm", "trixie")}
    names.add(recipe.content_key("bookworm", Mirror("http://other.test/debian")))
    assert len(names) == 3


def test_no_private_key_is_on_the_command_line(tmp_path: Path) -> None:
    keys.generate(tmp_path / "host_key", "x")
    line = recipe.build_command("bookworm", tmp_path, MIRROR)
    secrets = [path.read_text() for path in (tmp_path / "host_key", keys.access_key())]
    assert not any(secret.splitlines()[1] in part for secret in secrets for part in line)


def test_a_full_disk_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "FREE_GIB", 10**9)
    with pytest.raises(FlightlineError, match=r"GiB free, building an image takes"):
        image.refuse_a_full_disk(tmp_path)


def test_only_old_images_of_the_same_suite_are_dropped() -> None:
    cache = places.cache()
    names = ("bookworm-old", "bookworm-new", "trixie-old")
    for name in names:
        (cache / name / "template").mkdir(parents=True)
    for name in ("bookworm-old", "trixie-old"):
        os.utime(cache / name, (0, 0))
    image.drop_old("bookworm")
    assert [name for name in names if (cache / name).exists()] == ["bookworm-new", "trixie-old"]


def test_the_reason_of_a_failed_build_is_the_logs_own_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("I: starting\nE: Unable to locate package x\nI: removing tempdir\n")
    assert image.reason(log) == "E: Unable to locate package x"
