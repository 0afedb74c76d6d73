"""What a version of a model consists of: its files, each with size and sha256, as one small text.

The text is JSON in one fixed form, so that equal files give an equal digest, and so that a node
without a JSON parser can read it line by line:

    {
    "schema": "flightline.model/1",
    "name": "chat",
    "version": "1",
    "files": [
    {"path": "config.json", "bytes": 612, "sha256": "..."},
    {"path": "model.safetensors", "bytes": 1048, "sha256": "..."}
    ]
    }

It has no date: a date would give the same weights another digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from flightline.errors import FlightlineError

SCHEMA = "flightline.model/1"
FILE = "manifest.json"
"""Name of the manifest, beside the files."""

NAME = r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$"
VERSION = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$"
CURRENT = "current"
"""The link beside the versions; no version is called so."""

# No blank, quote, percent sign or backslash: a path goes into addresses, lists and shells as it is.
_PART = r"[A-Za-z0-9_.][A-Za-z0-9_.=@,+-]{0,199}"
_PATH = re.compile(rf"{_PART}(/{_PART}){{0,15}}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

FILES_MAX = 10_000
"""More than any published model by far: DeepSeek-R1 has about 200 (its repository, 2026-11)."""

BYTES_MAX = 10**15 - 1
"""Of one file: a petabyte; 15 digits are what a node's shell is given to compute with."""

TEXT_BYTES_MAX = 4 << 20
"""Of a manifest: FILES_MAX files with paths of 300 characters."""


@dataclass(frozen=True, order=True)
class Entry:
    """One file of a version: its path below the version's folder, its size, its digest."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A version's files, in the order of their paths."""

    name: str
    version: str
    files: tuple[Entry, ...]

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(each.bytes for each in self.files)

    @property
    def digest(self) -> str:
        """The sha256 of the manifest's text: `manifest_sha256` in the settings."""
        return hashlib.sha256(dumps(self).encode()).hexdigest()


def manifest(name: str, version: str, files: Iterable[Entry]) -> Manifest:
    """Return the manifest; raises FlightlineError, naming what is wrong, for one no node takes."""
    found = Manifest(name, version, tuple(sorted(files)))
    problem = next(_problems(found), None)
    if problem:
        raise FlightlineError(f"{name} {version}: {problem}.")
    return found


def refuse_names(name: str, version: str) -> None:
    """Raise FlightlineError, naming what is wrong, for a name or version that none may have."""
    problem = next(_name_problems(Manifest(name, version, ())), None)
    if problem:
        raise FlightlineError(f"{problem}; choose another.")


def path_problem(path: str) -> str | None:
    """Say what is wrong with a file's path, or None."""
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        return (
            f"the path {path!r} has a part that is empty, '.', '..', longer than 200 characters, "
            "or with others than letters, digits and _.=@,+-; rename it"
        )
    if path == FILE:
        return f"a file is called {FILE}, which is the manifest's own name; rename or remove it"
    return None


def dumps(manifest: Manifest) -> str:
    """Return the one text of a manifest."""
    files = ",\n".join(
        json.dumps({"path": each.path, "bytes": each.bytes, "sha256": each.sha256})
        for each in manifest.files
    )
    return (
        f'{{\n"schema": "{SCHEMA}",\n"name": "{manifest.name}",\n'
        f'"version": "{manifest.version}",\n"files": [\n{files}\n]\n}}\n'
    )


def loads(text: str, place: str) -> Manifest:
    """Return the manifest that a text holds; raises FlightlineError for any other text.

    `place` is where the text is from, for the message.
    """
    if len(text) > TEXT_BYTES_MAX:
        raise FlightlineError(f"{place} is longer than {TEXT_BYTES_MAX} bytes; it is no manifest.")
    try:
        fields: dict[str, Any] = json.loads(text)
        files = [Entry(each["path"], each["bytes"], each["sha256"]) for each in fields["files"]]
        found = manifest(fields["name"], fields["version"], files)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FlightlineError(
            f"{place} is not a manifest of {SCHEMA}; publish the folder again."
        ) from None
    except FlightlineError as error:
        raise FlightlineError(f"{place}: {error.message}") from None
    if dumps(found) != text:
        raise FlightlineError(f"{place} was edited or written by another program; publish again.")
    return found


def _problems(found: Manifest) -> Iterator[str]:
    yield from _name_problems(found)
    if not found.files:
        yield "it has no file; a version has at least one"
    if len(found.files) > FILES_MAX:
        yield f"it has {len(found.files)} files, at most {FILES_MAX} are taken; pack them"
    for each in found.files:
        yield from _entry_problems(each)
    for one, other in pairwise(sorted(each.path for each in found.files)):
        if one == other:
            yield f"it names {one!r} twice"
    folders = {"/".join(parts[:end]) for parts in _parts(found) for end in range(1, len(parts))}
    for path in sorted(folders & {each.path for each in found.files}):
        yield f"{path!r} is both a file and a folder"


def _parts(found: Manifest) -> list[list[str]]:
    return [each.path.split("/") for each in found.files]


def _name_problems(found: Manifest) -> Iterator[str]:
    if not isinstance(found.name, str) or not re.fullmatch(NAME, found.name):
        yield f"the name {found.name!r} is not one of at most 64 of a-z, 0-9 and ._- between them"
    version = found.version
    if not isinstance(version, str) or not re.fullmatch(VERSION, version) or version == CURRENT:
        yield (
            f"the version {found.version!r} is not one of at most 64 letters and digits with ._- "
            "between them, and not 'current'"
        )


def _entry_problems(each: Entry) -> Iterator[str]:
    if not isinstance(each.path, str) or (problem := path_problem(each.path)):
        yield problem if isinstance(each.path, str) else f"{each.path!r} is no path"
    if type(each.bytes) is not int or not 0 <= each.bytes <= BYTES_MAX:
        yield f"{each.path!r} has {each.bytes!r} bytes, expected 0 to {BYTES_MAX}"
    if not isinstance(each.sha256, str) or not _SHA256.fullmatch(each.sha256):
        yield f"{each.path!r} has no sha256 of 64 hexadecimal digits"
