"""A model's config.json as typed fields: hostile files end in a sentence, never in a traceback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from flightline.errors import FlightlineError

MOST_BYTES = 8 * 1024**2
"""Bytes of a file that is read: the longest config.json known has 0.4 MB."""

MOST = {
    "hidden_size": 10**6,
    "num_hidden_layers": 10**4,
    "vocab_size": 10**8,
    "sliding_window": 10**9,
    "max_position_embeddings": 10**9,
}
"""Bounds that no model comes near; they keep a slip of the pen from being sized."""

_MOST_ELSE = 10**7


class Config:
    """Fields of one config.json, or of one part of it.

    A field that is missing or wrong is remembered and read as 1, so that `refuse_wrong` names all.
    """

    def __init__(self, fields: Mapping[str, Any], where: str, part: str = "") -> None:
        self.fields = fields
        self.where = where
        self.part = part
        self.missing: list[str] = []
        self.wrong: list[str] = []

    def __repr__(self) -> str:
        """Return where it is from and what it says it is."""
        return f"Config({self.where}{self.part}, model_type={self.text('model_type')!r})"

    def has(self, name: str) -> bool:
        """Return whether the field has a value; null is none."""
        return self.fields.get(name) is not None

    def count(self, *names: str, default: int | None = None, least: int = 1) -> int:
        """Return the first of these fields that has a value, a whole number of at least `least`.

        Without a default a field is required.
        """
        found = next((name for name in names if self.has(name)), None)
        if found is None:
            if default is None:
                self.missing.append(self.part + " or ".join(names))
            return 1 if default is None else default
        value, most = self.fields[found], MOST.get(found, _MOST_ELSE)
        if type(value) is not int or not least <= value <= most:
            self.wrong.append(
                f"{self.part}{found} is {shown(value)}, expected a whole number from {least} to "
                f"{most}"
            )
            return max(least, 1)
        return value

    def optional(self, name: str) -> int | None:
        """Return a whole number of at least 1; None where the field has no value."""
        return self.count(name) if self.has(name) else None

    def flag(self, name: str, default: bool) -> bool:
        """Return true or false."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, bool):
            self.wrong.append(f"{self.part}{name} is {shown(value)}, expected true or false")
        return value if isinstance(value, bool) else default

    def text(self, name: str) -> str | None:
        """Return a text; None where the field has none."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else None

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; empty where the field has no value."""
        return tuple(map(str, self._list(name, str, "a list of names")))

    def counts(self, name: str) -> tuple[int, ...]:
        """Return a list of whole numbers; empty where the field has no value."""
        return tuple(self._list(name, int, "a list of whole numbers"))

    def inner(self, name: str) -> Config | None:
        """Return a part of the file; None where there is none."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, dict):
            self.wrong.append(f"{self.part}{name} is {shown(value)}, expected an object")
        return Config(value, self.where, f"{self.part}{name}.") if isinstance(value, dict) else None

    def refuse(self, why: str) -> NoReturn:
        """Raise FlightlineError with the file's name in front."""
        raise FlightlineError(f"{self.where}: {why}.")

    def refuse_wrong(self) -> None:
        """Hold that all fields read until now were there and of their types."""
        problems = list(dict.fromkeys(self.wrong))
        if self.missing:
            names = ", ".join(dict.fromkeys(self.missing))
            problems.append(
                f"{names} {'is' if len(self.missing) == 1 else 'are'} missing, and nothing is "
                "guessed"
            )
        if problems:
            self.refuse("; ".join(problems) + "; give the model's own config.json")

    def _list(self, name: str, kind: type, expected: str) -> list[Any]:
        value = self.fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or any(type(each) is not kind for each in value):
            self.wrong.append(f"{self.part}{name} is {shown(value)}, expected {expected}")
            return []
        return value


def read(path: Path) -> Config:
    """Return the content of a config.json. Raises FlightlineError for what is none."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise FlightlineError(
            f"{path}: cannot be read ({error.strerror}); name a model's config.json."
        ) from None
    if len(raw) > MOST_BYTES:
        raise FlightlineError(
            f"{path}: it is larger than {MOST_BYTES // 1024**2} MiB; name a model's config.json."
        )
    return Config(_parsed(raw, path), str(path))


def _parsed(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        content = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise FlightlineError(
            f"{path}: not JSON ({why[:100]}); name a model's config.json."
        ) from None
    if not isinstance(content, dict):
        raise FlightlineError(
            f"{path}: its content is {shown(content)}, expected an object with the model's shape; "
            "name a model's config.json."
        )
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def shown(value: Any) -> str:
    """Show a value in a message; a number of a million digits has no text."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**18:
        return "a number above 10^18" if value > 0 else "a number below -10^18"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
