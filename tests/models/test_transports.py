"""Fetching by rclone, from a registry and from a folder; and waiting for the fetching unit."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flightline.serving.manifest import Manifest
from roles.models.settings import ModelSettings, ModelVersion
from tests.models.conftest import Node, model

Weights = Callable[..., tuple[Path, Manifest]]

# A stand-in for oras 1.2: blobs in a folder by digest, the config under the artifact's digest.
ORAS = """\
#!/bin/sh
echo "$*" >> "$0.log"
for word; do
    case $last in --output) out=$word ;; esac
    last=$word
done
case "$1 $2" in
    "manifest fetch-config") from=$(dirname "$0")/config/${last#*@sha256:} ;;
    "blob fetch") from=$(dirname "$0")/blobs/${last#*@sha256:} ;;
esac
if [ ! -f "$from" ]; then echo "Error: $last: not found" >&2; exit 1; fi
cp "$from" "$out"
"""


@pytest.fixture
def rclone(tmp_path: Path) -> Path:
    """A configuration whose remote `site` is the mirror's folder."""
    if not shutil.which("rclone"):
        pytest.skip("rclone is not installed; `make setup` installs it")
    config = tmp_path / "rclone.conf"
    config.write_text(f"[site]\ntype = alias\nremote = {tmp_path / 'mirror'}\n")
    return config


def of_rclone(made: Manifest) -> ModelSettings:
    source = f"rclone:site:{made.name}/{made.version}"
    version = ModelVersion(version=made.version, source=source, manifest_sha256=made.digest)
    return ModelSettings(name=made.name, versions=(version,))


def test_rclone_brings_a_version(node: Node, weights: Weights, rclone: Path) -> None:
    folder, made = weights(big=3_000_000)
    node.declare(of_rclone(made), rclone_config=str(rclone), rate_mib_per_second=1000)
    done = node.fetch()
    assert done.returncode == 0, done.stderr
    found = subprocess.run(["diff", "-r", folder, node.store / "chat" / "1"], check=False)
    assert found.returncode == 0


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda file: file.unlink(), "rclone:site:chat/1/config.json: "),
        (lambda file: file.write_text("y" * 20), "config.json has sha256"),
        (lambda file: file.write_text("y" * 5), "config.json has 5 bytes at"),
        (lambda file: file.write_text("y" * 9000), "config.json"),
    ],
)
def test_rclone_brings_no_other_file(
    node: Node,
    weights: Weights,
    rclone: Path,
    spoil: Callable[[Path], object],
    sentence: str,
) -> None:
    folder, made = weights()
    spoil(folder / "config.json")
    node.declare(of_rclone(made), rclone_config=str(rclone))
    done = node.fetch()
    assert done.returncode == 1
    assert sentence in done.stderr
    assert not (node.store / "chat" / "1").exists()


def test_an_unknown_remote_is_told(node: Node, weights: Weights, tmp_path: Path) -> None:
    if not shutil.which("rclone"):
        pytest.skip("rclone is not installed; `make setup` installs it")
    _, made = weights()
    empty = tmp_path / "empty.conf"
    empty.write_text("")
    node.declare(of_rclone(made), rclone_config=str(empty))
    done = node.fetch()
    assert done.returncode == 1
    assert "didn't find section" in done.stderr


def of_registry(made: Manifest) -> ModelSettings:
    source = f"oci://registry.example.org/models/{made.name}@sha256:{'a' * 64}"
    version = ModelVersion(version=made.version, source=source, manifest_sha256=made.digest)
    return ModelSettings(name=made.name, versions=(version,))


@pytest.fixture
def oras(tmp_path: Path) -> Path:
    program = tmp_path / "registry" / "oras"
    (program.parent / "config").mkdir(parents=True)
    (program.parent / "blobs").mkdir()
    program.write_text(ORAS)
    program.chmod(0o755)
    return program


def test_a_registry_gives_blobs_by_digest_into_paths_of_the_manifest(
    node: Node, weights: Weights, oras: Path
) -> None:
    folder, made = weights()
    shutil.copy(folder / "manifest.json", oras.parent / "config" / ("a" * 64))
    for each in made.files:
        shutil.copy(folder / each.path, oras.parent / "blobs" / each.sha256)
    node.declare(of_registry(made), oras_program=str(oras), registry_config="/root/auth.json")
    done = node.fetch()
    assert done.returncode == 0, done.stderr
    found = subprocess.run(["diff", "-r", folder, node.store / "chat" / "1"], check=False)
    assert found.returncode == 0
    asked = Path(f"{oras}.log").read_text()
    assert "--registry-config /root/auth.json" in asked
    assert f"registry.example.org/models/chat@sha256:{made.files[0].sha256}" in asked


def test_a_registry_without_the_artifact_is_told(node: Node, weights: Weights, oras: Path) -> None:
    _, made = weights()
    node.declare(of_registry(made), oras_program=str(oras))
    done = node.fetch()
    assert done.returncode == 1
    assert "not found" in done.stderr
    assert "oci://registry.example.org" in done.stderr


def test_a_node_without_oras_says_so(node: Node, weights: Weights) -> None:
    _, made = weights()
    node.declare(of_registry(made), oras_program="/nowhere/oras")
    done = node.fetch()
    assert done.returncode == 1
    assert "/nowhere/oras" in done.stderr


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda file: file.unlink(), "is no file on this node"),
        (lambda file: file.write_text("y" * 900), "has 900 bytes, the manifest says 20"),
    ],
)
def test_a_folder_on_the_node_brings_no_other_file(
    node: Node, weights: Weights, spoil: Callable[[Path], object], sentence: str
) -> None:
    folder, made = weights()
    spoil(folder / "config.json")
    node.declare(model(f"file://{folder.parents[1]}", made))
    done = node.fetch()
    assert done.returncode == 1
    assert sentence in done.stderr


SYSTEMCTL = """\
#!/bin/sh
case $1 in
    start) exec {programs}/model-fetch ;;
    is-active) echo {state}; exit 3 ;;
    show) echo {result} ;;
esac
"""


def follow(node: Node, tmp_path: Path, state: str = "inactive", result: str = "exit-code") -> Any:
    stand_in = tmp_path / "bin" / "systemctl"
    stand_in.parent.mkdir(exist_ok=True)
    stand_in.write_text(
        SYSTEMCTL.format(programs=node.root / "programs", state=state, result=result)
    )
    stand_in.chmod(0o755)
    (stand_in.parent / "journalctl").write_text("#!/bin/sh\necho last lines\n")
    (stand_in.parent / "journalctl").chmod(0o755)
    path = f"{stand_in.parent}:{node.environment['PATH']}"
    return node.program("model-fetch", "follow", PATH=path, pace_seconds="0.1")


def test_following_ends_with_the_fetch_and_repeats_its_reasons(
    node: Node, weights: Weights, tmp_path: Path
) -> None:
    folder, made = weights()
    node.declare(model(f"file://{folder.parents[1]}", made))
    done = follow(node, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    shutil.rmtree(node.store / "chat")
    (folder / "config.json").unlink()
    failed = follow(node, tmp_path)
    assert failed.returncode == 1
    assert failed.stderr.startswith("chat 1: ")


def test_a_fetch_that_is_at_work_is_joined_and_followed_by_another(
    node: Node, weights: Weights, tmp_path: Path
) -> None:
    folder, made = weights()
    node.declare(model(f"file://{folder.parents[1]}", made))
    done = follow(node, tmp_path, state="activating")
    assert done.returncode == 0


def test_the_time_limit_is_told(node: Node, tmp_path: Path) -> None:
    node.declare()
    shutil.rmtree(node.run)  # so that the fetch ends without reasons
    failed = follow(node, tmp_path, result="timeout")
    assert failed.returncode == 1
    assert "fetch_hours_max" in failed.stderr
