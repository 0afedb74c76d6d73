"""The description of a store, and whether it agrees with what the programs made."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from flightline.serving import store as described
from flightline.serving.manifest import Manifest
from flightline.serving.state import ServiceState, dumps
from flightline.serving.store import Store, parse_store
from flightline.templates import render
from tests.models.conftest import Node, model

Weights = Callable[..., tuple[Path, Manifest]]


@pytest.fixture
def fetched(node: Node, weights: Weights, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """One version, fetched; the description looks into the test's own folders."""
    for name, place in (("RECORDS", "records"), ("RUN", "run"), ("SERVICES", "services")):
        monkeypatch.setattr(described, name, str(node.root / place))
    folder, made = weights(big=200_000)
    node.declare(model(f"file://{folder.parents[1]}", made))
    assert node.fetch().returncode == 0
    return made


def describe(node: Node, *credentials: Path, shell: str = "dash") -> Store:
    script = described.script(
        str(node.store), owner="root", group="root", credentials=map(str, credentials)
    )
    done = subprocess.run(
        [shell], input=script, capture_output=True, text=True, check=True, timeout=60
    )
    return parse_store(done.stdout)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_fetched_version_is_sound(node: Node, fetched: Manifest, shell: str) -> None:
    found = describe(node, shell=shell)
    (version,) = found.versions
    assert version.is_sound
    assert (version.manifest, version.bytes) == (fetched.digest, fetched.bytes)
    assert version.files == len(fetched.files)
    assert version.verified is not None
    assert version.verified.is_of_this_boot
    assert found.current == {"chat": "1"}
    assert (found.loose, found.halves, found.foreign) == ((), (), ())
    disk = os.statvfs(node.store)
    assert found.total_bytes == pytest.approx(disk.f_blocks * disk.f_frsize, rel=0.01)


def test_every_difference_is_seen(node: Node, fetched: Manifest) -> None:
    assert fetched
    folder = node.store / "chat" / "1"
    (folder / "config.json").write_text("x")
    (folder / "stranger.py").write_text("x")
    (folder / "big").unlink()
    found = describe(node)
    assert sorted(found.versions[0].wrong) == [
        "big is missing",
        "config.json has 1 bytes, expected 20",
        "stranger.py is not in its manifest",
    ]
    assert not found.versions[0].is_sound


def test_a_touched_file_and_an_earlier_boot_are_told_apart(node: Node, fetched: Manifest) -> None:
    assert fetched
    seal = node.records / "chat" / "1.verified"
    seal.write_text(seal.read_text().replace("\nboot ", "\nboot earlier-"))
    (version,) = describe(node).versions
    assert version.verified is not None
    assert (version.verified.is_of_this_boot, version.verified.is_touched) == (False, False)
    os.utime(node.store / "chat" / "1" / "big")
    (version,) = describe(node).versions
    assert version.verified is not None
    assert version.verified.is_touched


def test_halves_strangers_loose_files_services_and_credentials_are_told(
    node: Node, fetched: Manifest, tmp_path: Path
) -> None:
    assert fetched
    chat = node.store / "chat"
    (chat / ".fetch-2").mkdir()
    (chat / ".fetch-2" / "big").write_bytes(b"x" * 5000)
    (chat / "notes").mkdir()
    (chat / "1" / "big").chmod(0o666)
    state = ServiceState(model="chat", active="a", a="1")
    (node.services / "talk.json").write_text(dumps(state))
    (node.services / "broken.json").write_text("{")
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o640)
    found = describe(node, secret, tmp_path / "missing")
    assert [(each.version, each.bytes) for each in found.halves] == [("2", 5000)]
    assert found.foreign == (("chat", "notes"),)
    assert found.loose == ("chat/1/big (mode 666, root:root)",)
    assert found.services == {"talk": state, "broken": None}
    assert found.served("chat") == {"1": ("talk",)}
    assert found.credentials == {str(secret): "640 root", str(tmp_path / "missing"): "- -"}


def test_a_node_without_a_store_says_so(node: Node) -> None:
    node.store.rmdir()
    assert not describe(node).exists


def test_readahead_is_raised_only_and_no_disk_is_no_failure(node: Node) -> None:
    before = describe(node).readahead_kib
    program = node.root / "programs" / "model-readahead"
    program.write_text(render("models/usr/local/lib/flightline/model-readahead"))
    for place in (str(node.store), "/proc"):
        done = node.program("model-readahead", place, "4")
        assert (done.returncode, done.stderr) == (0, "")
    assert describe(node).readahead_kib == before
