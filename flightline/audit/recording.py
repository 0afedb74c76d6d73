"""Evidence kept on disk: what each node answered, so that anybody can judge it again.

A recording is a folder: `<node>.jsonl`, one answer a line, and `manifest.json`, which holds each
node's settings (so that it can be judged without the inventory) and the sha256 of each file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import pydantic
from pydantic import Field

from flightline.audit.answers import Answer, from_record, to_record
from flightline.errors import FlightlineError
from flightline.report.record import Record

MANIFEST = "manifest.json"


class RecordedNode(Record):
    """One node of a recording."""

    file: str | None
    """File with the answers; None for a node that could not be asked."""
    sha256: str | None
    settings: dict[str, dict[str, Any]]
    """Each role's settings; secrets are masked."""
    data: dict[str, Any]
    """The inventory's plain data of the node, without anything secret."""
    unreachable: str | None = None
    """Why the node could not be asked."""


class Manifest(Record):
    """The table of contents of a recording."""

    schema_: Literal["flightline.recording/1"] = Field("flightline.recording/1", alias="schema")
    flightline: str
    testinfra: str
    created: str
    inventory: str
    nodes: dict[str, RecordedNode]


@dataclass(frozen=True)
class Evidence:
    """What is kept of one node."""

    node: str
    settings: dict[str, dict[str, Any]]
    data: dict[str, Any]
    answers: tuple[Answer, ...] = ()
    unreachable: str | None = None


@dataclass(frozen=True)
class Recording:
    """A recording that was read: its manifest, and each node's answers by command."""

    folder: Path
    manifest: Manifest
    answers: dict[str, dict[str, Answer]] = field(default_factory=dict)


def file_name(node: str) -> str:
    """Return the name of a node's file; a node's name may hold a slash."""
    return f"{quote(node, safe='')}.jsonl"


def references(node: str, answers: Iterable[Answer]) -> dict[str, str]:
    """Return where each command's answer stands in a recording, as `<file>#<line>`."""
    name = file_name(node)
    return {answer.command: f"{name}#{line}" for line, answer in enumerate(answers, start=1)}


def write(folder: Path, evidence: Iterable[Evidence], **about: str) -> Path:
    """Write a recording: the folder appears whole, or not at all. Returns the folder.

    `about` are the manifest's flightline, testinfra, created and inventory. Raises FlightlineError
    when it cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".recording.", dir=folder.parent))
        try:
            nodes = {each.node: _write_node(staged, each) for each in evidence}
            manifest = Manifest(nodes=nodes, **about)
            text = manifest.model_dump_json(by_alias=True, indent=2) + "\n"
            (staged / MANIFEST).write_text(text, encoding="utf-8")
            staged.chmod(0o755)
            staged.rename(folder)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
    except OSError as error:
        raise FlightlineError(
            f"{folder}: the recording cannot be written ({error.strerror}); "
            "make room there, or audit with --no-record."
        ) from None
    return folder


def read(path: Path) -> Recording:
    """Return the recording in a folder, or in the run folder above it.

    Raises FlightlineError when there is none, and when a file is not what the manifest says.
    """
    folder = path / "recording" if (path / "recording").is_dir() else path
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
        manifest = Manifest.model_validate_json(text)
    except (OSError, UnicodeDecodeError):
        raise FlightlineError(
            f"{path}: is no recording (no readable {MANIFEST}); name a folder that "
            "`flightline audit --record` made, under flightline-runs/."
        ) from None
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise FlightlineError(
            f"{folder / MANIFEST}: {where}: {problem['msg'].lower()}; expected "
            "schema flightline.recording/1."
        ) from None
    answers = {name: _read_node(folder, node) for name, node in manifest.nodes.items()}
    return Recording(folder, manifest, answers)


def _write_node(folder: Path, evidence: Evidence) -> RecordedNode:
    about: dict[str, Any] = {"settings": evidence.settings, "data": evidence.data}
    if evidence.unreachable is not None:
        return RecordedNode(file=None, sha256=None, unreachable=evidence.unreachable, **about)
    lines = "".join(f"{json.dumps(to_record(each))}\n" for each in evidence.answers)
    name = file_name(evidence.node)
    (folder / name).write_text(lines, encoding="utf-8")
    return RecordedNode(file=name, sha256=_sha256(lines.encode()), **about)


def _read_node(folder: Path, node: RecordedNode) -> dict[str, Answer]:
    if node.file is None:
        return {}
    path = folder / node.file
    if path.parent != folder:
        raise FlightlineError(f"{folder / MANIFEST}: {node.file} is outside the recording.")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FlightlineError(f"{path}: cannot be read ({error.strerror}).") from None
    if _sha256(raw) != node.sha256:
        raise FlightlineError(
            f"{path}: was changed after it was recorded (its sha256 is not the manifest's); "
            "judge an untouched copy or audit the node again."
        )
    return dict(_answers(path, raw.decode("utf-8", errors="replace")))


def _answers(path: Path, text: str) -> Iterable[tuple[str, Answer]]:
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            answer = from_record(json.loads(line))
        except (ValueError, FlightlineError) as error:
            raise FlightlineError(f"{path}:{number}: {error}.") from None
        yield answer.command, answer


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
