"""Waivers: a problem that somebody accepts, by name, with a reason and a last day.

A file is a YAML list:

    - check: kernel-swap-off
      node: "node-*"
      reason: this node has no second disk yet
      owner: operations@example.org
      expires: 2027-01-31
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pydantic
import yaml

from flightline.errors import FlightlineError
from flightline.report.record import Waiver

DEFAULT_NAME = "waivers.yaml"
FIELDS = ", ".join(Waiver.model_fields)


class Waivers:
    """The waivers of one audit; remembers which of them were needed."""

    def __init__(self, waivers: Sequence[Waiver] = (), today: date | None = None) -> None:
        self._waivers = tuple(waivers)
        self._today = today or datetime.now(UTC).date()
        self._used: set[Waiver] = set()

    def covering(self, check: str, node: str) -> Waiver | None:
        """Return the waiver for this check on this node, the one that holds longest."""
        fitting = [each for each in self._waivers if _fits(each, check, node)]
        self._used.update(fitting)
        return max(fitting, key=lambda each: each.expires, default=None)

    def holds(self, waiver: Waiver) -> bool:
        """Return whether the waiver's last day is not over, in UTC."""
        return self._today <= waiver.expires

    def unused(
        self, judged: Iterable[str], known: Iterable[str], nodes: Iterable[str]
    ) -> list[str]:
        """Return a sentence for each waiver that excused nothing.

        `judged` are the checks of this audit, `known` all checks there are, `nodes` the nodes of
        this audit: a waiver out of this audit's reach is not complained about.
        """
        reach, ids, names = set(judged), set(known), tuple(nodes)
        return [
            f"the waiver of {each.owner} for {each.check} on {each.node} excuses nothing; {advice}"
            for each in self._waivers
            if each not in self._used and (advice := _advice(each, reach, ids, names))
        ]


def load(path: Path | None) -> tuple[Waiver, ...]:
    """Return the waivers of a file, or of `waivers.yaml` in the working directory if it exists.

    Raises FlightlineError, with the line, when the file is missing or not as it should be.
    """
    if path is None:
        path = Path(DEFAULT_NAME)
        if not path.exists():
            return ()
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise FlightlineError(f"{path}: cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FlightlineError(f"{_spot(path, error)}: is not YAML; see docs/checks.md.") from None
    return () if node is None else tuple(_waivers(path, node))


def _waivers(path: Path, node: yaml.Node) -> Iterable[Waiver]:
    if not isinstance(node, yaml.SequenceNode):
        raise FlightlineError(f"{path}:1: is not a list of waivers, each with {FIELDS}.")
    for item in node.value:
        yield _waiver(path, item)


def _waiver(path: Path, node: yaml.Node) -> Waiver:
    line = node.start_mark.line + 1
    try:
        value: Any = yaml.SafeLoader("").construct_document(node)
        return Waiver.model_validate(value)
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = ".".join(map(str, problem["loc"])) or "waiver"
        raise FlightlineError(
            f"{path}:{line}: {field}: {problem['msg'].lower()}; a waiver has {FIELDS}, "
            "and expires is a day such as 2027-01-31."
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        raise FlightlineError(f"{path}:{line}: {error}") from None


def _advice(waiver: Waiver, reach: set[str], ids: set[str], names: tuple[str, ...]) -> str:
    if waiver.check not in ids:
        return "no role has such a check: correct its id or remove the waiver."
    in_reach = waiver.check in reach and fnmatch.filter(names, waiver.node)
    return "remove it." if in_reach else ""


def _fits(waiver: Waiver, check: str, node: str) -> bool:
    return waiver.check == check and fnmatch.fnmatchcase(node, waiver.node)


def _spot(path: Path, error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{path}:{mark.line + 1}" if mark else str(path)
