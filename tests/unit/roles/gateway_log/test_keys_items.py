"""What the role makes of the project's keys file."""

from __future__ import annotations

from pathlib import Path

import pytest

from flightline.errors import FlightlineError
from flightline.operations.bundle import File, Merge
from flightline.serving import keys, keys_map, layout
from roles.gateway import keys as role_keys
from roles.gateway.settings import GatewaySettings

SETTINGS = GatewaySettings(enabled=True)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "roles").mkdir()
    (tmp_path / "deploy.py").touch()
    (tmp_path / "templates").symlink_to(Path(__file__).parents[4] / "templates")
    monkeypatch.setenv("FLIGHTLINE_PROJECT", str(tmp_path))
    return tmp_path


def mapped(current: str | None = None) -> File:
    """Return the file that a node gets which has this one."""
    (found,) = (each for each in role_keys.items(SETTINGS) if each.path == layout.GATEWAY_KEYS)
    assert isinstance(found, Merge)
    return File(found.path, found.merge(current), found.mode)


def test_no_file_is_no_key_on_a_node_without_keys() -> None:
    assert [line for line in mapped().content.splitlines() if not line.startswith("#")] == []


@pytest.mark.parametrize("there", [False, True])
def test_an_apply_with_an_older_keys_file_or_none_revokes_nobody(folder: Path, there: bool) -> None:
    ann = keys.Key(name="ann", role="admin", sha256="A" * 64, created=keys.now())
    ben = ann.model_copy(update={"name": "ben", "sha256": "B" * 64})
    keys.write(folder / "keys.yaml", [ann, ben])
    on_node = mapped().content
    (folder / "keys.yaml").unlink()
    if there:
        keys.write(folder / "keys.yaml", [ann])
    expected = "clients use ben here" if there else "clients use ann, ben here.*as it is not there"
    with pytest.raises(FlightlineError, match=f"{expected}.*flightline key push"):
        mapped(on_node)


def test_a_revoked_key_goes_with_the_next_apply(folder: Path) -> None:
    ann = keys.Key(name="ann", role="admin", sha256="A" * 64, created=keys.now())
    keys.write(folder / "keys.yaml", [ann])
    on_node = mapped().content
    keys.write(folder / "keys.yaml", [ann.model_copy(update={"revoked": keys.now()})])
    after = mapped(on_node).content
    assert (keys_map.honoured(after), keys_map.revoked(after)) == ({}, {"A" * 64: "ann"})


def test_an_apply_with_an_older_keys_file_brings_no_revoked_key_back(folder: Path) -> None:
    ann = keys.Key(name="ann", role="admin", sha256="A" * 64, created=keys.now())
    keys.write(folder / "keys.yaml", [ann.model_copy(update={"revoked": keys.now()})])
    on_node = mapped().content
    keys.write(folder / "keys.yaml", [ann])
    with pytest.raises(FlightlineError, match=r"ann was revoked here, and .* an older copy"):
        mapped(on_node)
    keys.write(folder / "keys.yaml", [])
    assert keys_map.revoked(mapped(on_node).content) == {"A" * 64: "ann"}


def test_active_keys_are_in_the_map_that_only_root_reads(folder: Path) -> None:
    held = keys.Key(name="ann", role="admin", sha256="A" * 64, created=keys.now())
    gone = held.model_copy(update={"name": "ben", "sha256": "B" * 64, "revoked": keys.now()})
    keys.write(folder / "keys.yaml", [held, gone])
    assert mapped().mode == "600"
    assert f"{'A' * 64} admin|ann|||\n" in mapped().content
    assert f"\n{'B' * 64} " not in mapped().content


def test_a_broken_file_is_refused(folder: Path) -> None:
    (folder / "keys.yaml").write_text("keys: [")
    with pytest.raises(FlightlineError, match="is not YAML"):
        role_keys.items(SETTINGS)


def test_a_change_is_loaded_without_a_reload() -> None:
    (hook,) = role_keys.hooks()
    assert hook.command == layout.GATEWAY_KEYS_LOAD
    assert hook.paths == (layout.GATEWAY_KEYS,)
