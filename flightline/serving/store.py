"""A node's model store as it is: one read-only script, and plain parsing; no role by name.

Versions are folders, `<store>/<name>/<version>/`, with a manifest. RECORDS says of each when all
its files were hashed last, and what each file's inode, size and times were then.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.serving import layout, state
from flightline.serving.state import ServiceState

DECLARED = "/etc/flightline/models/declared"
"""Each declared version on a line: name, version, digest of its manifest, served first, source."""
RECORDS = "/var/lib/flightline/models"
RUN = "/run/flightline-models"
SERVICES = layout.STATES


@dataclass(frozen=True)
class Verified:
    """When a version's files were all hashed and found right."""

    when: str
    """UTC, ISO 8601."""
    manifest: str
    is_of_this_boot: bool
    is_touched: bool
    """A file's inode, size or times are not those seen then."""


@dataclass(frozen=True)
class StoredVersion:
    """One version in the store."""

    name: str
    version: str
    manifest: str
    """The sha256 of its manifest.json."""
    bytes: int = 0
    files: int = 0
    wrong: tuple[str, ...] = ()
    """A few words for each file that is missing, too many, or of another size than listed."""
    verified: Verified | None = None

    @property
    def is_sound(self) -> bool:
        """Whether it was hashed, nothing was touched since, and names and sizes are as listed."""
        seal = self.verified
        return not self.wrong and bool(
            seal and not seal.is_touched and seal.manifest == self.manifest
        )


@dataclass(frozen=True)
class Half:
    """A version of which only a part was fetched."""

    name: str
    version: str
    bytes: int
    idle_seconds: int
    """Since the last byte came."""


@dataclass(frozen=True)
class Store:
    """What the script found."""

    exists: bool = False
    total_bytes: int = 0
    free_bytes: int = 0
    readahead_kib: int | None = None
    """None: the file system has none, or it cannot be set here."""
    loose: tuple[str, ...] = ()
    """The first paths that others may write or that belong to somebody else, with mode, owner."""
    versions: tuple[StoredVersion, ...] = ()
    foreign: tuple[tuple[str, str], ...] = ()
    """Folders in a version's place without a manifest."""
    current: dict[str, str] = field(default_factory=dict)
    """Target of each model's link."""
    halves: tuple[Half, ...] = ()
    fetch_state: str = ""
    """ActiveState of the fetching unit."""
    fetch_errors: tuple[str, ...] = ()
    """What its last run could not do."""
    services: dict[str, ServiceState | None] = field(default_factory=dict)
    """None: the file is there and is no state."""
    credentials: dict[str, str] = field(default_factory=dict)
    """Mode and owner of each file, "- -" where there is none."""

    def version(self, name: str, version: str) -> StoredVersion | None:
        """Return that version, None where it is not there."""
        return next((x for x in self.versions if (x.name, x.version) == (name, version)), None)

    def served(self, name: str) -> dict[str, tuple[str, ...]]:
        """Return the services of a model that hold or switch to each of its versions."""
        found: dict[str, tuple[str, ...]] = {}
        for service, held in self.services.items():
            if held is None or held.model != name:
                continue
            for version in {held.a, held.b, held.switching.to if held.switching else None}:
                if version is not None:
                    found[version] = (*found.get(version, ()), service)
        return found


def script(
    store: str, *, owner: str = "root", group: str = "root", credentials: Iterable[str] = ()
) -> str:
    """Return the script that describes a node's store; the settings are those of its role."""
    values = {
        "store": store,
        "owner": owner,
        "group": group,
        "records": RECORDS,
        "run": RUN,
        "services": SERVICES,
        "credentials": " ".join(credentials),
    }
    lines = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    return "\n".join([*lines, Path(__file__).with_name("store.sh").read_text(encoding="utf-8")])


def parse_store(text: str) -> Store:
    """Return what the script printed; raises ValueError when it is cut short.

    Real lines, Debian 12 (2026-11-21): `room 270553174016 81371377664`, `version chat 1 f47c...`,
    `content chat 1 8000002 4`, `wrong chat 1 4/2 config.json`, `verified chat 1
    2026-11-21T15:13:50Z f47c... this no`, `half chat 2 4096 12`.
    """
    lines = [line.split(" ") for line in text.splitlines()]
    if ["end"] not in lines:
        raise ValueError("the description of the model store is cut short")
    try:
        return _store(lines)
    except IndexError:
        raise ValueError("the description of the model store has a line cut short") from None


def _store(lines: Sequence[Sequence[str]]) -> Store:
    room = next((words for words in lines if words[0] == "room"), None)
    readahead = next((int(words[1]) for words in lines if words[0] == "readahead"), None)
    unit = {words[1]: words[2] for words in _of("unit", lines)}
    return Store(
        exists=room is not None,
        total_bytes=int(room[1]) if room else 0,
        free_bytes=int(room[2]) if room else 0,
        readahead_kib=readahead,
        loose=tuple(_loose(words) for words in _of("loose", lines)),
        versions=tuple(_version(words, lines) for words in _of("version", lines)),
        foreign=tuple((words[1], words[2]) for words in _of("foreign", lines)),
        current={words[1]: words[2] for words in _of("current", lines)},
        halves=tuple(
            Half(words[1], words[2], int(words[3]), int(words[4])) for words in _of("half", lines)
        ),
        fetch_state=unit.get("ActiveState", ""),
        fetch_errors=tuple(" ".join(words[1:]) for words in _of("error", lines)),
        services={words[1]: _state(words) for words in _of("service", lines)},
        credentials={words[3]: f"{words[1]} {words[2]}" for words in _of("credential", lines)},
    )


def _of(kind: str, lines: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    return [words for words in lines if words[0] == kind]


def _loose(words: Sequence[str]) -> str:
    path = " ".join(words[4:]) or "the store itself"
    return f"{path} (mode {words[1]}, {words[2]}:{words[3]})"


def _version(words: Sequence[str], lines: Sequence[Sequence[str]]) -> StoredVersion:
    of = list(words[1:3])
    mine = [each for each in lines if list(each[1:3]) == of]
    content = next(iter(_of("content", mine)), ["", "", "", "0", "0"])
    seal = next(iter(_of("verified", mine)), None)
    return StoredVersion(
        name=words[1],
        version=words[2],
        manifest=words[3],
        bytes=int(content[3]),
        files=int(content[4]),
        wrong=tuple(_wrong(each) for each in _of("wrong", mine)),
        verified=Verified(seal[3], seal[4], seal[5] == "this", seal[6] == "yes") if seal else None,
    )


def _wrong(words: Sequence[str]) -> str:
    what, path = words[3], " ".join(words[4:])
    if what in ("missing", "extra"):
        return f"{path} is {'missing' if what == 'missing' else 'not in its manifest'}"
    there, _, wanted = what.partition("/")
    return f"{path} has {there} bytes, expected {wanted}"


def _state(words: Sequence[str]) -> ServiceState | None:
    try:
        text = base64.b64decode(words[2]).decode()
        return state.loads(text, f"{SERVICES}/{words[1]}.json")
    except (FlightlineError, ValueError):
        return None
