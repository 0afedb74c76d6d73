"""What never reaches the store: more than fits, and manifests made to do harm."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flightline.serving.manifest import Manifest, dumps
from tests.models.conftest import Node, model, source

Weights = Callable[..., tuple[Path, Manifest]]


@pytest.fixture
def small_disk(node: Node) -> Iterator[None]:
    """A store on a file system of 8 MiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "flightline-test", str(node.store)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount the small file system that this needs")
    yield
    subprocess.run(["umount", str(node.store)], check=True)


@pytest.mark.usefixtures("small_disk")
def test_no_room_is_told_before_the_first_byte(node: Node, weights: Weights) -> None:
    folder, made = weights(big=9_000_000)
    node.declare(model(source(folder), made))
    done = node.fetch()
    assert done.returncode == 1
    assert "8 MiB free, expected 8 MiB" in done.stderr or "expected" in done.stderr
    assert "free_gib_min" in done.stderr
    assert not (node.store / "chat" / ".fetch-1" / "big").exists()


@pytest.mark.usefixtures("small_disk")
def test_the_margin_counts_and_what_is_there_already_does_not(node: Node, weights: Weights) -> None:
    folder, made = weights(big=5_000_000)
    node.declare(model(source(folder), made), free_gib_min=0.004)
    refused = node.fetch()
    assert refused.returncode == 1
    node.declare(model(source(folder), made), free_gib_min=0.001)
    assert node.fetch().returncode == 0


HOSTILE = {
    "../x": "../../../tmp/x",
    "absolute": "/tmp/x",
    "dots": "a/../../x",
    "twice": "config.json",
    "its own": "manifest.json",
    "newline": "a\\nb",
    "blank": "a b",
    "option": "-rf",
    "long": "a" * 300,
    "substitution": "$(id)",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_manifest_is_refused_even_if_its_digest_is_declared(
    node: Node, weights: Weights, name: str
) -> None:
    folder, made = weights()
    text = dumps(made)
    line = f'{{"path": "{HOSTILE[name]}", "bytes": 2, "sha256": "{"0" * 64}"}},\n'
    _declare_raw(node, folder, text.replace('"files": [\n', f'"files": [\n{line}'))
    done = node.fetch()
    assert done.returncode == 1
    assert "in a way that Flightline never writes" in done.stderr
    assert not (node.store / "chat" / "1").exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"name": "chat"', '"name": "mine"'),
        ('"version": "1"', '"version": "2"'),
        ("flightline.model/1", "flightline.model/2"),
        ("\n]\n}\n", "\n]\n}\n\n"),
        ('"bytes": 0', '"bytes": 010'),
        ('"bytes": 0', '"bytes": 9999999999999999'),
        ('"bytes": 0', '"bytes": -1'),
    ],
)
def test_a_manifest_in_another_form_is_refused(
    node: Node, weights: Weights, before: str, after: str
) -> None:
    folder, made = weights()
    _declare_raw(node, folder, dumps(made).replace(before, after))
    done = node.fetch()
    assert done.returncode == 1
    assert "its manifest" in done.stderr
    assert not (node.store / "chat" / "1").exists()


def _declare_raw(node: Node, folder: Path, text: str) -> None:
    """Have the node expect exactly this text as the manifest."""
    file = folder / "manifest.json"
    file.write_text(text)
    digest = subprocess.run(["sha256sum", file], capture_output=True, check=True).stdout[:64]
    node.declare()
    declared = f"chat 1 {digest.decode()} yes file://{folder}\n"
    (node.root / "declared").write_text(declared)
