"""Where the lab keeps things: images and templates in the cache, running nodes in the state."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from flightline.errors import FlightlineError


def cache() -> Path:
    """Return the folder of images, templates and the access key; made, for the owner alone."""
    return _made(_base("XDG_CACHE_HOME", ".cache") / "flightline" / "lab")


def state() -> Path:
    """Return the folder of the nodes that were brought up; FLIGHTLINE_LAB_STATE names another one.

    Two state folders are two labs that know nothing of one another and share the cache.
    """
    named = os.environ.get("FLIGHTLINE_LAB_STATE")
    home = Path(named) if named else _base("XDG_STATE_HOME", ".local/state") / "flightline" / "lab"
    return _made(home.absolute())


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Make path hold text, or leave it as it was: written beside it, then renamed."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)


@contextmanager
def held(path: Path, say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock file for this process; wait, and say so, while another one holds it.

    The kernel lets go of the lock when the process ends, however it ends.
    """
    with path.open("w", encoding="ascii") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            if say:
                say(f"waiting for another lab command to finish ({path})")
            flock(file, LOCK_EX)
        yield


def _base(variable: str, default: str) -> Path:
    """Return the XDG base folder; a relative value is ignored, as the specification asks.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/ (read 2026-11).
    """
    value = os.environ.get(variable, "")
    return Path(value) if value.startswith("/") else Path.home() / default


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise FlightlineError(
            f"{folder} cannot be made ({error.strerror}); "
            "set XDG_CACHE_HOME and XDG_STATE_HOME to folders that can be written."
        ) from None
    return folder
