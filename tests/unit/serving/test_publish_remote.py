"""Publishing by the real rclone, and by a stand-in for oras."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from flightline.errors import FlightlineError
from flightline.serving.publish import OtherVersion, measured
from flightline.serving.publish_remote import publish_oci, publish_rclone

# As oras 1.2 is called: `push` keeps config and layers by digest, `fetch-config` gives the config.
ORAS = """\
#!/bin/sh
home=$(dirname "$0")
echo "$*" >> "$home/log"
case "$1 $2" in
    "manifest fetch-config")
        [ -f "$home/config" ] || { echo "Error: $3: not found" >&2; exit 1; }
        cat "$home/config" ;;
    "manifest fetch") cat "$home/artifact" ;;
    push*)
        while [ $# -gt 0 ]; do
            case $1 in
                --export-manifest) echo '{"artifact": 1}' | tee "$home/artifact" > "$2"; shift ;;
                --config) cp "${2%:*}" "$home/config"; shift ;;
                *:application/octet-stream)
                    cp "${1%:*}" "$home/$(sha256sum < "${1%:*}" | cut -c 1-64)" ;;
            esac
            shift
        done ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "weights"
    (made / "sub").mkdir(parents=True)
    (made / "config.json").write_text("{}")
    (made / "sub" / "model.bin").write_bytes(os.urandom(100_000))
    (made / "alias.json").symlink_to("config.json")
    return made


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder behind the remote `site`."""
    if not shutil.which("rclone"):
        pytest.skip("rclone is not installed; `make setup` installs it")
    config = tmp_path / "rclone.conf"
    config.write_text(f"[site]\ntype = alias\nremote = {tmp_path / 'bucket'}\n")
    monkeypatch.setenv("RCLONE_CONFIG", str(config))
    return tmp_path / "bucket"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "oras-home"
    home.mkdir()
    (home / "oras").write_text(ORAS)
    (home / "oras").chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
    return home


def test_rclone_writes_the_layout_and_links_become_files(folder: Path, remote: Path) -> None:
    found = measured(folder, "chat", "1")
    done = publish_rclone(folder, found, "rclone:site:models/")
    assert (done.source, done.was_there) == ("rclone:site:models/chat/1", False)
    target = remote / "models" / "chat" / "1"
    digest = hashlib.sha256((target / "manifest.json").read_bytes()).hexdigest()
    assert digest == found.digest
    (target / "manifest.json").unlink()
    assert subprocess.run(["diff", "-r", folder, target], check=False).returncode == 0


def test_rclone_leaves_a_published_version_alone(folder: Path, remote: Path) -> None:
    found = measured(folder, "chat", "1")
    publish_rclone(folder, found, "rclone:site:models")
    before = (remote / "models" / "chat" / "1" / "config.json").stat().st_ino
    assert publish_rclone(folder, found, "rclone:site:models").was_there
    (folder / "config.json").write_text("[1]")
    with pytest.raises(OtherVersion):
        publish_rclone(folder, measured(folder, "chat", "1"), "rclone:site:models")
    assert (remote / "models" / "chat" / "1" / "config.json").stat().st_ino == before


def test_rclones_own_words_are_told(folder: Path, remote: Path) -> None:
    assert remote
    with pytest.raises(FlightlineError, match="didn't find section in config file"):
        publish_rclone(folder, measured(folder, "chat", "1"), "rclone:nowhere:models")


def test_a_registry_gets_the_manifest_as_config_and_files_as_layers(
    folder: Path, registry: Path
) -> None:
    found = measured(folder, "chat", "1")
    done = publish_oci(folder, found, "oci://registry.example.org/models/chat")
    artifact = hashlib.sha256((registry / "artifact").read_bytes()).hexdigest()
    assert done.source == f"oci://registry.example.org/models/chat@sha256:{artifact}"
    assert hashlib.sha256((registry / "config").read_bytes()).hexdigest() == found.digest
    for each in found.files:
        assert (registry / each.sha256).stat().st_size == each.bytes
    assert "registry.example.org/models/chat:1" in (registry / "log").read_text()
    again = publish_oci(folder, found, "oci://registry.example.org/models/chat")
    assert (again.source, again.was_there) == (done.source, True)
    (folder / "config.json").write_text("[1]")
    with pytest.raises(OtherVersion):
        publish_oci(folder, measured(folder, "chat", "1"), "oci://registry.example.org/models/chat")


def test_a_computer_without_the_program_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = measured(folder, "chat", "1")
    with pytest.raises(FlightlineError, match="oras is not on this computer"):
        publish_oci(folder, found, "oci://registry.example.org/x")
    with pytest.raises(FlightlineError, match="rclone is not on this computer"):
        publish_rclone(folder, found, "rclone:site:x")
