"""API keys: who may ask the gateway, as hashes in a file of the project and a map on each gateway.

A key is 32 random bytes. Nothing can be guessed of 256 bits, so one plain SHA-256 protects it as
well as a slow hash would, and HAProxy computes it for each request; slow hashes with salt are for
passwords that people choose (NIST SP 800-63B on look-up secrets, from knowledge of it).
"""

from __future__ import annotations

import datetime
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import AwareDatetime, Field, field_serializer, field_validator

from flightline.errors import FlightlineError
from flightline.files import write_atomically
from flightline.settings import Settings

SCHEMA = "flightline.keys/1"
PREFIX = "fl-"
RANDOM_BYTES = 32
PATTERN = r"fl-[A-Za-z0-9_-]{43}"
"""What a key looks like: PREFIX and RANDOM_BYTES in base64 for URLs, without padding."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
"""Nothing in a name can end a field of the map, a line, or a JSON string."""

Role = Literal["data_scientist", "admin"]
State = Literal["active", "expired", "revoked"]

_HEADER = "# Kept by `flightline key`: hashes only, no key can be made from them.\n"


class Key(Settings):
    """One key as the file has it: its hash, whose it is, and what it may do."""

    name: str = Field(pattern=NAME)
    """Whose key it is: in the audit log's `who`. Letters, digits and . _ @ - (64 at most); once in
    a file, also after it was revoked."""

    role: Role
    """data_scientist: read models, send requests; admin: also read the audit log."""

    sha256: str = Field(pattern="^[0-9A-F]{64}$")
    """SHA-256 of the key, hexadecimal in upper case, as HAProxy's `hex` writes it."""

    created: AwareDatetime
    """UTC."""

    expires: AwareDatetime | None = None
    """From this moment on it is refused. None: never."""

    requests_per_minute: int | None = Field(default=None, ge=1, le=1_000_000)
    """None: the gateway's own limit for everybody."""

    requests_per_day: int | None = Field(default=None, ge=1, le=1_000_000_000)
    """None: the gateway's own limit for everybody."""

    revoked: AwareDatetime | None = None
    """When it was revoked; None: it was not."""

    @field_validator("name")
    @classmethod
    def _is_no_key(cls, value: str) -> str:
        if re.search(PATTERN, value):
            raise ValueError("it is a key itself; revoke that one, and name whose key it is")
        return value

    @field_serializer("created", "expires", "revoked")
    def _moment(self, value: datetime.datetime | None) -> str | None:
        return None if value is None else _written(value)

    def state(self, now: datetime.datetime) -> State:
        """Return whether the key is honoured at that moment."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"


def _written(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_key() -> str:
    """Return a key that nobody has seen before."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def digest(key: str) -> str:
    """Return the hash that stands for the key in files and in the gateway."""
    return hashlib.sha256(key.encode()).hexdigest().upper()


def now() -> datetime.datetime:
    """Return the moment, UTC, in whole seconds."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def loads(text: str, path: str) -> tuple[Key, ...]:
    """Return the keys that a file holds, in its order.

    Raises FlightlineError, one sentence that names the path and the entry, for anything else.
    """
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise FlightlineError(f"{path}:{line}: is not YAML; {_RESTORE}.") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise FlightlineError(f"{path}: its schema is not {SCHEMA}; {_RESTORE}.")
    entries = found.get("keys")
    if set(found) != {"schema", "keys"} or not isinstance(entries, list):
        raise FlightlineError(f"{path}: expected schema and a list named keys; {_RESTORE}.")
    keys = tuple(_entry(each, number, path) for number, each in enumerate(entries, start=1))
    _refuse_twice("name", [each.name for each in keys], path)
    _refuse_twice("sha256", [each.sha256 for each in keys], path)
    return keys


_RESTORE = "put back the file of the last commit, or correct it"


def _entry(entry: Any, number: int, path: str) -> Key:
    if not isinstance(entry, dict) or not all(isinstance(name, str) for name in entry):
        raise FlightlineError(f"{path}: entry {number} is not a list of fields; {_RESTORE}.")
    try:
        key = Key(**entry)
    except FlightlineError as error:
        # A key that someone pasted into the file is shown to nobody.
        said = re.sub(PATTERN, "(hidden)", error.message.partition(": ")[2].rstrip(". "))
        raise FlightlineError(f"{path}: entry {number}: {said}; {_RESTORE}.") from None
    if key.expires is not None and key.expires <= key.created:
        raise FlightlineError(f"{path}: entry {number}: expires before it was created.")
    return key


def _refuse_twice(field: str, values: list[str], path: str) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise FlightlineError(f"{path}: {field} {', '.join(twice)} is there twice; keep one entry.")


def dumps(keys: Iterable[Key]) -> str:
    """Return the file's content; the same keys give the same text."""
    entries = [
        {name: value for name, value in key.to_json().items() if value is not None} for key in keys
    ]
    body: Mapping[str, Any] = {"schema": SCHEMA, "keys": entries}
    return _HEADER + yaml.safe_dump(body, sort_keys=False, default_flow_style=False)


def read(path: Path) -> tuple[Key, ...]:
    """Return the keys of a file.

    Raises FileNotFoundError without a file, FlightlineError for one that cannot be used.
    """
    try:
        return loads(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise FlightlineError(f"{path}: is not UTF-8 text; {_RESTORE}.") from None


def warnings(path: Path, limited: Iterable[str] = ()) -> tuple[str, ...]:
    """Return a sentence where there is no keys file; raises FlightlineError for a broken one.

    And one for names of `limited` (GatewaySettings.models_of_keys) that are no key's.
    """
    try:
        known = read(path)
    except FileNotFoundError:
        return (f"{path} is not there, so no key is accepted; make one with `flightline key add`.",)
    strange = ", ".join(sorted(set(limited) - {each.name for each in known}))
    if not strange:
        return ()
    return (
        f"models_of_keys names {strange}, and {path} has no such key, so nobody is limited by it: "
        "correct the name, or make the key with `flightline key add`.",
    )


def write(path: Path, keys: Iterable[Key]) -> None:
    """Put the keys in place, whole or not at all, readable by their owner alone.

    A symbolic link stays one: the file that it leads to is replaced.
    """
    write_atomically(_behind_links(path), dumps(keys), mode=0o600)


@contextmanager
def locked(*paths: Path) -> Iterator[None]:
    """Hold the folders of keys files, so that two commands at once neither lose nor revive a key.

    The lock is on the folder: the file itself is replaced by each change. It is the folder of the
    file that links lead to, so that whoever names it otherwise waits as well.
    """
    with ExitStack() as stack:
        for parent in sorted({_behind_links(path).parent for path in paths}):
            parent.mkdir(parents=True, exist_ok=True)
            folder = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, folder)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield


def _behind_links(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises for links in a circle
