"""Reads values out of an element of nvidia-smi's report: each one there, or why it is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar
from xml.etree.ElementTree import Element

from flightline.gpu.reading import Reading, State
from flightline.gpu.smi_xml import printable

T = TypeVar("T")

# How drivers from 470 to 590 write that a device has no such thing
_UNSUPPORTED = {
    "n/a",
    "none",
    "not supported",
    "not available",
    "requested functionality has been deprecated",
}
_TROUBLE = re.compile(
    r"gpu is lost|gpu requires reset|unknown error|fallen off|insufficient permissions"
    r"|no permission|err!|error$|timeout|uninitialized|function not found",
    re.IGNORECASE,
)
_TRUE = {"enabled", "yes", "active", "true"}
_FALSE = {"disabled", "no", "not active", "inactive", "false"}
_WORST_FIRST = (State.TROUBLE, State.NOT_SUPPORTED, State.MISSING, State.VALUE)
_LONGEST_RAW = 300  # of an absurd value, enough to show it


class Values:
    """The values below one element; a name is a path such as "ecc_mode/current_ecc"."""

    def __init__(self, element: Element) -> None:
        self._element = element

    def text(self, *paths: str, none_is_value: bool = False) -> Reading[str]:
        """Return the first of the paths that has a value, as text."""
        return self._first(paths, str, none_is_value=none_is_value)

    def verdict(self, path: str) -> Reading[str]:
        """Return the text whatever it says, an error too; only N/A and the like are none."""
        found = self.text(path, none_is_value=True)
        if found.state is not State.TROUBLE:
            return found
        return Reading(path, State.VALUE, found.raw, found.raw)

    def flag(self, *paths: str) -> Reading[bool]:
        """Return whether it is on: Enabled, Yes, Active, True and their opposites."""
        return self._first(paths, _flag)

    def count(self, *paths: str) -> Reading[int]:
        """Return a whole number that is not negative: "81559 MiB", "16x", "150"."""
        return self._first(paths, _count)

    def degrees(self, *paths: str) -> Reading[int]:
        """Return a whole number that may be negative: "34 C", "-8 C"."""
        return self._first(paths, _degrees)

    def watts(self, *paths: str) -> Reading[float]:
        """Return a number of watts: "700.00 W"."""
        return self._first(paths, _watts)

    def sum(self, *paths: str) -> Reading[int]:
        """Return the sum of the counts that are there, unless one of them is in trouble."""
        parts = [self.count(path) for path in paths]
        there = [each for each in parts if each.value is not None]
        worst = min(parts, key=lambda each: _WORST_FIRST.index(each.state))
        if worst.state is State.TROUBLE or not there:
            return worst
        total = sum(each.value or 0 for each in there)
        return Reading(there[0].name, State.VALUE, total, " + ".join(each.raw for each in there))

    def children(self, path: str) -> Iterable[Element]:
        """Return the elements right below the path."""
        return self._element.findall(f"{path}/*")

    def _first(
        self, paths: Iterable[str], read: Callable[[str], T | None], *, none_is_value: bool = False
    ) -> Reading[T]:
        found = [self._one(path, read, none_is_value) for path in paths]
        best = next((each for each in found if each.is_there), None)
        return best or min(found, key=lambda each: _WORST_FIRST.index(each.state))

    def _one(self, path: str, read: Callable[[str], T | None], none_is_value: bool) -> Reading[T]:
        raw = self._raw(path)
        if not raw:
            return Reading(path, State.MISSING)
        word = raw.strip("[]").lower()
        if word in _UNSUPPORTED and not (none_is_value and word == "none"):
            return Reading(path, State.NOT_SUPPORTED, raw=raw)
        value = None if _TROUBLE.search(word) else read(raw)
        state = State.TROUBLE if value is None else State.VALUE
        return Reading(path, state, value, raw)

    def _raw(self, path: str) -> str:
        """Return the element's text; that of the nearest leaf above it, `<health>N/A</health>`."""
        here = self._element
        for name in path.split("/"):
            below = here.find(name)
            if below is None:
                has_children = here is self._element or len(here) > 0
                return "" if has_children else _text(here)
            here = below
        return _text(here)


def _text(element: Element) -> str:
    return printable((element.text or "").strip()[:_LONGEST_RAW])


def _flag(raw: str) -> bool | None:
    word = raw.lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _count(raw: str) -> int | None:
    found = re.fullmatch(r"([0-9]{1,20})(?:x| ?[A-Za-z%/()]+)?", raw)
    return int(found[1]) if found else None


def _degrees(raw: str) -> int | None:
    found = re.fullmatch(r"(-?[0-9]{1,6})(?: ?C)?", raw)
    return int(found[1]) if found else None


def _watts(raw: str) -> float | None:
    found = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,6})?)(?: ?W)?", raw)
    return float(found[1]) if found else None
