"""The catalog's YAML files as records; what is wrong in one is a sentence with file, entry, field.

A file is a mapping of sections to lists of entries, and `sources`: a short name for each source
with its text and the day it was read. An entry, or a figure in it, names one of them as `source`;
it may also spell out `source` and `date` itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml

from flightline.catalog import model
from flightline.errors import FlightlineError

E = TypeVar("E", bound=model.Entry)

SECTIONS: Mapping[str, tuple[type[model.Entry], str]] = {
    "gpus": (model.Gpu, "id"),
    "drivers": (model.DriverBranch, "number"),
    "cuda": (model.CudaRelease, "version"),
    "cuda_families": (model.CudaFamily, "major"),
    "xids": (model.Xid, "code"),
    "sxids": (model.Xid, "code"),
    "rdma": (model.RdmaPort, "rate_gbps"),
    "collectives": (model.Collective, "gpu"),
    "models": (model.PublishedModel, "id"),
}
"""The record of each section, and the field that names an entry in it."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def entries(path: Path, section: str) -> Iterator[model.Entry]:
    """Yield the records of one section of a file; none where the file has no such section.

    Raises FlightlineError for the first entry that is wrong.
    """
    content = _content(path)
    sources = content.get("sources") or {}
    kind, name = SECTIONS[section]
    for place, raw in enumerate(content.get(section) or (), start=1):
        yield _entry(path, kind, f"{section} {_name(raw, name, place)}", raw, sources)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text("utf-8"), _LOADER) or {}  # noqa: S506 - safe, C or not
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise FlightlineError(f"{path}: cannot be read as YAML ({_line(error)}).") from None
    if not isinstance(content, dict):
        raise FlightlineError(f"{path}: expected sections ({', '.join(SECTIONS)}) with lists.")
    for section, value in content.items():
        _section(path, section, value)
    return content


def _section(path: Path, section: object, value: object) -> None:
    if section not in SECTIONS and section != "sources":
        raise FlightlineError(
            f"{path}: there is no section {section}; the sections are sources, "
            f"{', '.join(SECTIONS)}."
        )
    kind = dict if section == "sources" else list
    if value is not None and not isinstance(value, kind):
        expected = "a mapping" if kind is dict else "a list"
        raise FlightlineError(f"{path}: {section} is no list of entries, expected {expected}.")


def _entry(path: Path, kind: type[E], name: str, raw: object, sources: Mapping[str, object]) -> E:
    if not isinstance(raw, dict):
        raise FlightlineError(f"{path}: {name} is {raw!r}, expected a mapping of fields.")
    try:
        return kind.model_validate(_sourced(raw, sources))
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise FlightlineError(
            f"{path}: {name}, field {field}: {_wrong(dict(first))}; correct it, and give every "
            "figure its unit, source and date."
        ) from None


def _wrong(problem: dict[str, Any]) -> str:
    if problem["type"] == "missing":
        return "it is missing"
    if problem["type"] == "extra_forbidden":
        return "there is no such field"
    message: str = problem["msg"]
    return f"{message[:1].lower()}{message[1:]}, found {problem['input']!r}"


def _sourced(raw: object, sources: Mapping[str, object]) -> object:
    """Put a named source's text and date where its name stands, at any depth."""
    if isinstance(raw, list):
        return [_sourced(each, sources) for each in raw]
    if not isinstance(raw, dict):
        return raw
    filled = {key: _sourced(value, sources) for key, value in raw.items()}
    named = sources.get(str(raw.get("source")))
    return {**filled, **named} if isinstance(named, dict) else filled


def _name(raw: object, field: str, place: int) -> str:
    return str(raw.get(field, f"number {place}")) if isinstance(raw, dict) else f"number {place}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
