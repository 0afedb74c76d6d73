"""Files are whole or as they were, locks are waited for aloud, folders follow XDG."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flightline.errors import FlightlineError
from flightline.lab import places

HOLDER = """
import sys
from pathlib import Path
from flightline.lab import places
with places.held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_what_is_written_is_for_the_owner_alone(tmp_path: Path) -> None:
    places.write_atomically(tmp_path / "record", "text")
    assert (tmp_path / "record").read_text() == "text"
    assert (tmp_path / "record").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["record"]


def test_a_relative_xdg_folder_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert places.cache() == tmp_path / ".cache/flightline/lab"


def test_the_state_follows_its_own_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLIGHTLINE_LAB_STATE", str(tmp_path / "other"))
    assert places.state() == tmp_path / "other"
    assert (tmp_path / "other").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(FlightlineError, match=r"cannot be made .*; set XDG_CACHE_HOME"):
        places.cache()


def test_a_lock_held_by_another_process_is_waited_for_aloud(tmp_path: Path) -> None:
    lock, said = tmp_path / "lock", []
    holder = [sys.executable, "-c", HOLDER, str(lock)]
    with subprocess.Popen(
        holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin
        assert other.stdout
        assert other.stdout.readline() == "held\n"

        def say(line: str) -> None:
            said.append(line)
            assert other.stdin
            other.stdin.write("\n")
            other.stdin.flush()

        with places.held(lock, say):
            assert other.wait(5) == 0
    assert said == [f"waiting for another lab command to finish ({lock})"]
