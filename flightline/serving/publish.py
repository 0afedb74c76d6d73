"""Publishing a model: a folder of weights becomes a version on a mirror, with its manifest.

What is written is what was hashed: a file that changes meanwhile ends the publishing. A version is
visible when its manifest is, and that comes last.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.serving.manifest import Entry, Manifest, manifest, path_problem

CHUNK_BYTES = 8 << 20
THREADS = 4
"""Files hashed at the same time; hashing releases the interpreter's lock."""


@dataclass(frozen=True)
class Published:
    """A version on a mirror."""

    manifest: Manifest
    source: str
    """What the settings name it by."""
    was_there: bool
    """The same files were published earlier; nothing was written."""

    @property
    def settings(self) -> str:
        """The lines for group_data."""
        return (
            "ModelVersion(\n"
            f'    version="{self.manifest.version}",\n'
            f'    source="{self.source}",\n'
            f'    manifest_sha256="{self.manifest.digest}",\n'
            "),"
        )


class OtherVersion(FlightlineError):  # noqa: N818 - named for what happened
    """The mirror has other files under this version. Exit code 1."""

    exit_code = 1

    def __init__(self, place: str, there: str, here: str) -> None:
        super().__init__(
            f"{place} is published already with other content (manifest {there}, this folder's is "
            f"{here}); a version never changes: publish under a new one."
        )


def readable(size: int) -> str:
    """Return a size in bytes as a person reads it: MiB below one GiB, else GiB."""
    return f"{size / 2**20:.1f} MiB" if size < 2**30 else f"{size / 2**30:.1f} GiB"


def measured(folder: Path, name: str, version: str) -> Manifest:
    """Return the manifest of a folder, every file hashed.

    Raises FlightlineError, naming the path, for what no version can hold.
    """
    paths = scan(folder)
    with ThreadPoolExecutor(THREADS) as pool:
        entries = list(pool.map(lambda path: _entry(folder, path), paths))
    return manifest(name, version, entries)


def scan(folder: Path) -> list[str]:
    """Return the paths of a folder's files below it, sorted.

    Raises FlightlineError for an unsafe name, a link out of the folder, a folder without a file,
    something that is no file, or no folder at all.
    """
    if not folder.is_dir():
        raise FlightlineError(f"{folder} is no folder; name the one that holds the weights.")
    try:
        return sorted(_files(folder, folder.resolve()))
    except OSError as error:
        raise FlightlineError(f"{error.filename} cannot be read ({error.strerror}).") from None


def _files(folder: Path, root: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder, onerror=_raise):
        here = Path(place)
        if not (folders or files):
            raise FlightlineError(
                f"{here} is empty, and a version holds files only; remove it, or put one into it."
            )
        for name in folders:
            if (here / name).is_symlink():
                raise FlightlineError(
                    f"{here / name} is a link to a folder; put the folder itself there."
                )
        for name in files:
            path = (here / name).relative_to(folder).as_posix()
            _refuse_unfit(here / name, path, root)
            yield path


def _refuse_unfit(file: Path, path: str, root: Path) -> None:
    problem = path_problem(path)
    if problem:
        raise FlightlineError(f"{file.parent}: {problem}.")
    if not file.resolve().is_relative_to(root):
        raise FlightlineError(
            f"{file} is a link that leads out of the folder, to {file.resolve()}; publish a copy "
            "without links (`cp -rL FOLDER COPY`)."
        )
    if not stat.S_ISREG(file.stat().st_mode):
        raise FlightlineError(f"{file} is no regular file; remove it.")


def _raise(error: OSError) -> None:
    raise error


def _entry(folder: Path, path: str) -> Entry:
    digest, size = hashlib.sha256(), 0
    try:
        with (folder / path).open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise FlightlineError(f"{folder / path} cannot be read ({error.strerror}).") from None
    return Entry(path, size, digest.hexdigest())
