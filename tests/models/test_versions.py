"""What stays, what is repaired, what is refused: versions on the node, fetched from a folder."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from flightline.serving.manifest import Manifest
from tests.models.conftest import Node, model, source

Weights = Callable[..., tuple[Path, Manifest]]


@pytest.fixture
def versions(node: Node, weights: Weights) -> list[tuple[Path, Manifest]]:
    """Three versions, all fetched; the first serves."""
    made = [weights(version=version) for version in ("1", "2", "3")]
    node.declare(model(source(made[0][0]), *(each for _, each in made), serve="1"))
    assert node.fetch().returncode == 0
    return made


def there(node: Node) -> list[str]:
    return sorted(path.name for path in (node.store / "chat").iterdir())


def test_current_is_the_first_served_and_stays_where_a_switch_moved_it(
    node: Node, versions: list[tuple[Path, Manifest]]
) -> None:
    link = node.store / "chat" / "current"
    assert link.readlink() == Path("1")
    link.unlink()
    link.symlink_to("2")
    assert node.fetch().returncode == 0
    assert link.readlink() == Path("2")


@pytest.mark.parametrize("target", ["9", "../../etc", "/etc", None])
def test_a_link_that_leads_to_no_version_is_made_anew(
    node: Node, versions: list[tuple[Path, Manifest]], target: str | None
) -> None:
    link = node.store / "chat" / "current"
    link.unlink()
    if target:
        link.symlink_to(target)
    assert node.fetch().returncode == 0
    assert link.readlink() == Path("1")


def test_of_versions_no_longer_declared_the_last_stay_and_what_is_in_use(
    node: Node, versions: list[tuple[Path, Manifest]], weights: Weights
) -> None:
    later = [weights(version=version) for version in ("4", "5")]
    address = source(versions[0][0])
    node.declare(model(address, *(made for _, made in versions + later), serve="1"))
    assert node.fetch().returncode == 0
    for age, version in enumerate("12345"):  # 5 was verified first, 1 last
        os.utime(node.records / "chat" / f"{version}.manifest", (1_000_000 - age, 1_000_000 - age))
    state = {"schema": "flightline.serving/1", "model": "chat", "active": "a", "a": "5", "b": None}
    (node.services / "chat.json").write_text(json.dumps(state, indent=1))
    last = later[0][1]
    node.declare(model(address, last), keep_versions=1)
    assert node.fetch().returncode == 0
    # 1 is current, 2 the one that is kept, 4 declared, 5 in a slot; 3 went
    assert there(node) == ["1", "2", "4", "5", "current"]


def test_all_versions_stay_where_the_settings_say_so(
    node: Node, versions: list[tuple[Path, Manifest]]
) -> None:
    node.declare(model(source(versions[0][0]), versions[0][1]), keep_versions=None)
    assert node.fetch().returncode == 0
    assert there(node) == ["1", "2", "3", "current"]


def test_what_flightline_did_not_bring_stays(
    node: Node, versions: list[tuple[Path, Manifest]]
) -> None:
    for name in ("chat/mine", "other/1"):
        (node.store / name).mkdir(parents=True)
        (node.store / name / "manifest.json").write_text("{}")
    node.declare(model(source(versions[0][0]), versions[0][1]), keep_versions=0)
    assert node.fetch().returncode == 0
    assert there(node) == ["1", "current", "mine"]
    assert (node.store / "other" / "1").is_dir()


def test_a_half_fetch_that_nobody_declares_any_more_is_removed(
    node: Node, versions: list[tuple[Path, Manifest]]
) -> None:
    (node.store / "chat" / ".fetch-9").mkdir()
    assert node.fetch().returncode == 0
    assert there(node) == ["1", "2", "3", "current"]


@pytest.mark.parametrize(
    "harm",
    [
        lambda file: file.write_bytes(b"x" * file.stat().st_size),
        lambda file: file.write_bytes(b"short"),
        lambda file: file.unlink(),
        lambda file: (file.unlink(), file.symlink_to("/etc/passwd")),
        lambda file: (file.parent / "modeling_extra.py").write_text("print()"),
    ],
)
def test_a_changed_file_stops_an_engines_start_and_is_fetched_anew(
    node: Node, versions: list[tuple[Path, Manifest]], harm: Callable[[Path], object]
) -> None:
    folder = node.store / "chat" / "1"
    kept = (folder / "sub" / "a+b=c@d,e.bin").stat().st_ino
    harm(folder / "config.json")
    refused = node.verify("chat", "1")
    assert refused.returncode == 1
    assert refused.stderr.startswith("chat 1 in ")
    assert len(refused.stderr.splitlines()) == 1
    assert node.verify("chat", "2").returncode == 0
    assert node.fetch().returncode == 0
    assert node.verify("chat", "1").returncode == 0
    done = subprocess.run(["diff", "-r", folder, versions[0][0]], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    assert (folder / "sub" / "a+b=c@d,e.bin").stat().st_ino == kept
    assert there(node) == ["1", "2", "3", "current"]


def test_a_change_with_the_old_size_and_time_is_seen(
    node: Node, versions: list[tuple[Path, Manifest]]
) -> None:
    file = node.store / "chat" / "1" / "config.json"
    before = file.stat()
    file.write_bytes(b"z" * before.st_size)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    refused = node.verify("chat", "1")
    assert refused.returncode == 1
    assert "config.json has sha256" in refused.stderr


def test_an_untouched_version_is_hashed_once_a_boot(
    node: Node, versions: list[tuple[Path, Manifest]]
) -> None:
    seal = node.records / "chat" / "1.verified"
    before = seal.stat().st_ino
    assert node.verify("chat", "1").returncode == 0
    assert seal.stat().st_ino == before
    seal.write_text(seal.read_text().replace("\nboot ", "\nboot another-"))
    assert node.verify("chat", "1").returncode == 0
    assert seal.stat().st_ino != before


def test_other_content_under_a_version_that_is_there_is_refused(
    node: Node, versions: list[tuple[Path, Manifest]], weights: Weights
) -> None:
    folder, other = weights(version="1", more=9)
    node.declare(model(source(folder), other))
    done = node.fetch()
    assert done.returncode == 1
    assert "A version never changes" in done.stderr
    assert not (node.store / "chat" / "1" / "more").exists()


def test_a_folder_of_somebody_else_in_a_versions_place_is_refused(
    node: Node, weights: Weights
) -> None:
    folder, made = weights()
    mine = node.store / "chat" / "1"
    mine.mkdir(parents=True)
    (mine / "notes").write_text("mine")
    node.declare(model(source(folder), made))
    assert node.fetch().returncode == 1
    assert (mine / "notes").read_text() == "mine"


def test_a_version_that_nobody_declared_is_not_verified(node: Node, weights: Weights) -> None:
    folder, _ = weights()
    node.declare()
    shutil.copytree(folder, node.store / "chat" / "1")
    refused = node.verify("chat", "1")
    assert refused.returncode == 1
    assert "nobody declared" in refused.stderr
    assert node.verify("chat", "../1").returncode == 1
    assert node.verify("chat", "7").returncode == 1


def test_owner_and_modes_are_those_declared(node: Node, weights: Weights) -> None:
    folder, made = weights()
    node.declare(model(source(folder), made), owner="nobody", group="nogroup", others_read=False)
    assert node.fetch().returncode == 0
    for path in [node.store / "chat", *(node.store / "chat").rglob("*")]:
        if path.is_symlink():
            continue
        expected = 0o750 if path.is_dir() else 0o640
        assert (stat.S_IMODE(path.stat().st_mode), path.owner()) == (expected, "nobody"), path


def test_versions_whose_names_are_alike_are_told_apart(node: Node, weights: Weights) -> None:
    made = [weights(version=version) for version in ("1x0", "1.0")]
    node.declare(model(source(made[0][0]), *(each for _, each in made)))
    assert node.fetch().returncode == 0
    assert [node.verify("chat", version).returncode for version in ("1x0", "1.0")] == [0, 0]
    node.declare(model(source(made[0][0]), made[0][1], serve="1x0"), keep_versions=0)
    (node.store / "chat" / "current").unlink()
    assert node.fetch().returncode == 0
    assert there(node) == ["1x0", "current"]
