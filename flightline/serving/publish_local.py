"""Publishing to a folder of this computer, which a web server or a share shows to the nodes."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.serving.manifest import FILE, Entry, Manifest, dumps, loads
from flightline.serving.publish import CHUNK_BYTES, THREADS, OtherVersion, Published


def publish_local(
    folder: Path, found: Manifest, destination: Path, served_as: str | None
) -> Published:
    """Hold that `<destination>/<name>/<version>/` has the files and the manifest, or nothing new.

    `served_as` is the address under which nodes reach `destination`; None: file:///, the folder
    itself. Raises OtherVersion, and FlightlineError when it cannot be written or a file changed.
    """
    target = destination.resolve() / found.name / found.version
    base = served_as.rstrip("/") if served_as else f"file://{destination.resolve()}"
    source = f"{base}/{found.name}/{found.version}"
    if _is_there(target, found):
        return Published(found, source, was_there=True)
    try:
        _write(folder, found, target)
    except OSError as error:
        raise FlightlineError(
            f"{error.filename or target}: {error.strerror}; nothing was published."
        ) from None
    return Published(found, source, was_there=False)


def _is_there(target: Path, found: Manifest) -> bool:
    if not target.exists():
        return False
    file = target / FILE
    if not file.is_file():
        raise FlightlineError(f"{target} is there without a {FILE}; move it away.")
    there = loads(file.read_text(encoding="utf-8", errors="replace"), str(file))
    if there != found:
        raise OtherVersion(str(target), there.digest, found.digest)
    for each in found.files:
        if not _has_size(target / each.path, each.bytes):
            raise FlightlineError(
                f"{target / each.path} is not the file that its {FILE} names; move {target} away "
                "and publish again."
            )
    return True


def _has_size(file: Path, size: int) -> bool:
    return file.is_file() and file.stat().st_size == size


def _write(folder: Path, found: Manifest, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".publish-{found.version}.", dir=target.parent))
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda each: _copy(folder, staged, each), found.files))
        _put(staged / FILE, dumps(found).encode())
        for place in [staged, *(path for path in staged.rglob("*") if path.is_dir())]:
            place.chmod(0o755)
            _sync_folder(place)
        staged.rename(target)
        _sync_folder(target.parent)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _copy(folder: Path, staged: Path, each: Entry) -> None:
    """Copy one file, hashing what is written: it must be what was hashed before."""
    target, digest = staged / each.path, hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (folder / each.path).open("rb") as origin, target.open("xb") as copy:
        while chunk := origin.read(CHUNK_BYTES):
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    target.chmod(0o644)
    if digest.hexdigest() != each.sha256:
        raise FlightlineError(
            f"{folder / each.path} changed meanwhile; nothing was published, run again."
        )


def _put(path: Path, content: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    path.chmod(0o644)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
