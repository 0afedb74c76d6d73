"""What a node answered to one command: the only thing that a verdict may rest on."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flightline.errors import FlightlineError


@dataclass(frozen=True)
class Answer:
    """One command and what came of it, as root, on one node.

    `start` is UTC seconds since 1970 by the node's clock, `seconds` the duration at the 10 ms
    resolution of /proc/uptime. `problem` says why there is no usable answer, and is empty when
    there is one: a check that asked such a command is unknown.
    """

    command: str
    exit_status: int
    stdout: bytes = b""
    stderr: bytes = b""
    start: float = 0.0
    seconds: float = 0.0
    problem: str = ""


def missing(command: str, problem: str) -> Answer:
    """Return the answer that is none, with the reason."""
    return Answer(command, exit_status=-1, problem=problem)


def text(raw: bytes) -> str:
    """Decode what a node printed; bytes that are not UTF-8 show as escapes, never as an error."""
    return raw.decode("utf-8", errors="backslashreplace")


def to_record(answer: Answer) -> dict[str, Any]:
    """Return the answer as one line of a recording ("flightline.recording/1")."""
    start = datetime.fromtimestamp(answer.start, UTC).isoformat(timespec="milliseconds")
    record: dict[str, Any] = {
        "command": answer.command,
        "exit_status": answer.exit_status,
        **_stream("stdout", answer.stdout),
        **_stream("stderr", answer.stderr),
        "start": start,
        "duration": round(answer.seconds, 3),
    }
    return {**record, "problem": answer.problem} if answer.problem else record


def from_record(record: Any) -> Answer:
    """Return the answer of one line of a recording; raises FlightlineError for another shape."""
    try:
        return Answer(
            command=str(record["command"]),
            exit_status=int(record["exit_status"]),
            stdout=_bytes(record, "stdout"),
            stderr=_bytes(record, "stderr"),
            start=datetime.fromisoformat(record["start"]).timestamp(),
            seconds=float(record["duration"]),
            problem=str(record.get("problem", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise FlightlineError(f"not a line of a recording ({error!r})") from None


def _stream(name: str, raw: bytes) -> dict[str, str]:
    try:
        return {name: raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(raw).decode("ascii")}


def _bytes(record: dict[str, Any], name: str) -> bytes:
    if f"{name}_base64" in record:
        return base64.b64decode(record[f"{name}_base64"], validate=True)
    return str(record[name]).encode("utf-8")
