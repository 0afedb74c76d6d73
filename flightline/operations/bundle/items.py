"""What a bundle may hold. Every path is absolute and appears once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flightline.errors import FlightlineError

_MODE = re.compile(r"[0-7]{3,4}")


@dataclass(frozen=True)
class File:
    """A regular file with exactly this content, mode (octal), owner and group (name or number).

    `validate` is a shell command that runs as root on the staged file before anything moves;
    "{staged}" in it is that file's path, quoted, with the name, mode and owner of the real one.
    """

    path: str
    content: str
    mode: str = "644"
    owner: str = "root"
    group: str = "root"
    validate: str | None = None

    def __post_init__(self) -> None:
        _refuse_bad(self.path, self.mode)


@dataclass(frozen=True)
class Merge:
    """A file whose content follows from what the node has: `merge(current)` returns it.

    `current` is None where there is no file. `merge` is pure, returns its input unchanged when
    nothing is to do, and raises FlightlineError when the input cannot be merged with.
    """

    path: str
    merge: Callable[[str | None], str]
    mode: str = "644"
    owner: str = "root"
    group: str = "root"
    validate: str | None = None

    def __post_init__(self) -> None:
        _refuse_bad(self.path, self.mode)


@dataclass(frozen=True)
class Directory:
    """A directory; what is in it is left alone."""

    path: str
    mode: str = "755"
    owner: str = "root"
    group: str = "root"

    def __post_init__(self) -> None:
        _refuse_bad(self.path, self.mode)


@dataclass(frozen=True)
class Link:
    """A symbolic link; replaces a file or another link, never a directory."""

    path: str
    target: str

    def __post_init__(self) -> None:
        _refuse_bad(self.path)


@dataclass(frozen=True)
class Absent:
    """No file and no link at this path; a directory there is refused, not emptied."""

    path: str

    def __post_init__(self) -> None:
        _refuse_bad(self.path)


@dataclass(frozen=True)
class Hook:
    """A shell command, run once as root after the moves when one of `paths` changed.

    Empty `paths`: when anything in the bundle changed. Hooks run in the order given. It must be
    safe to repeat: after an interrupted run it runs again, and after a failure it runs once more on
    the files that were put back.
    """

    command: str
    paths: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name of its marker on the node: stable as long as the command is."""
        return hashlib.sha256(self.command.encode()).hexdigest()[:16]


Item = File | Merge | Directory | Link | Absent


def refuse_contradictions(items: Sequence[Item], hooks: Sequence[Hook]) -> None:
    """Raise FlightlineError when a path appears twice or a hook waits for one not among them."""
    paths = [item.path for item in items]
    for path in paths:
        if paths.count(path) > 1:
            raise FlightlineError(f"{path} is {paths.count(path)} times in one bundle; keep one.")
    for hook in hooks:
        for path in set(hook.paths) - set(paths):
            raise FlightlineError(
                f"hook `{hook.command}` waits for {path}, which is not in its bundle; "
                "add the file or correct the path."
            )


def _refuse_bad(path: str, mode: str = "644") -> None:
    parts = path.split("/")
    if parts[0] or len(parts) < 2 or {"", ".", ".."} & set(parts[1:]) or "\0" in path:
        raise FlightlineError(f"{path!r} is not an absolute path without //, . and .. parts.")
    if not _MODE.fullmatch(mode):
        raise FlightlineError(f"{path}: mode {mode!r} is not an octal mode such as 644.")
