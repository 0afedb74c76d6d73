"""One shell script that asks a node many commands, and the reading of what it printed.

The script is POSIX sh (dash and BusyBox ash alike), needs no writable disk (answers are staged
under /run, in memory), and frames what it prints with a random marker, so that a login shell's
greeting cannot be taken for an answer.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from flightline.audit.answers import Answer, missing


@dataclass(frozen=True)
class Pace:
    """How a node works through a round of commands."""

    at_once: int
    """Most commands at the same time; never more than the node has CPUs, so that none is slowed
    until it looks hung."""
    command_seconds: int
    """A command that runs longer is stopped, and its checks are unknown."""
    script_seconds: int
    """How long a node may take for a whole round before it counts as unreachable."""


READING = Pace(at_once=8, command_seconds=60, script_seconds=600)
"""For checks that read: the slowest honest command, an initramfs listing on a busy emulated node,
took 12 s (Debian 12, QEMU TCG, 2026-11-21)."""

LOADING = Pace(at_once=1, command_seconds=3600, script_seconds=6 * 3600)
"""For checks that load the machine: one at a time, since two would measure each other. DCGM's
longest level within acceptance, 3, takes 15 minutes (NVSentinel preflight.md, 2026-11-20)."""

LARGEST_BYTES = 4 * 1024 * 1024
"""Bound of one output; eight GPUs' `nvidia-smi -q -x` is 0.36 MB (captured from 8 B200)."""

_TIMED_OUT = frozenset({124, 137})  # timeout(1): stopped by TERM, then by KILL
Framed = dict[str, list[list[str]]]


def new_marker() -> str:
    """Return a marker that no output contains by accident."""
    return f"flightline-{secrets.token_hex(12)}"


def script(commands: Sequence[str], marker: str, pace: Pace = READING) -> str:
    """Return the script that answers the commands, numbered from 0 in the given order."""
    template = resources.files("flightline.audit").joinpath("collect.sh").read_text("utf-8")
    asks = [f"ask {n} {shlex.quote(command)}" for n, command in enumerate(commands)]
    rows = (asks[first :: pace.at_once] for first in range(min(pace.at_once, len(asks))))
    asked = "\n".join(
        f"(\n{row}\n) &\nlane {number}" for number, row in enumerate(map("\n".join, rows), start=1)
    )
    return (
        template.replace("@MARKER@", marker)
        .replace("@COMMAND_SECONDS@", str(pace.command_seconds))
        .replace("@LARGEST_BYTES@", str(LARGEST_BYTES))
        .replace("@ASKED@", asked)
    )


def read(
    commands: Sequence[str], marker: str, printed: str, pace: Pace = READING
) -> dict[str, Answer]:
    """Return an answer for every command; one that is missing says why."""
    framed, payload = _frames(marker, printed)
    if payload is None:
        return {each: missing(each, _cut_short(printed, marker)) for each in commands}
    clock, uptime = (float(word) for word in framed["begin"][0])
    streams = dict(_streams(framed, payload))
    ran = {int(number): (int(status), *spans) for number, status, *spans in framed["ran"]}
    return {
        each: _answer(each, number, ran.get(number), clock - uptime, streams, pace=pace)
        for number, each in enumerate(commands)
    }


def _answer(
    command: str,
    number: int,
    ran: Any,
    booted: float,
    streams: Mapping[str, bytes | None],
    *,
    pace: Pace,
) -> Answer:
    if ran is None:  # its row of commands was killed on the node, for want of memory perhaps
        return missing(command, "was stopped before its end.")
    status, begun, done = ran[0], float(ran[1]), float(ran[2])
    return Answer(
        command,
        status,
        streams.get(f"o{number}") or b"",
        streams.get(f"e{number}") or b"",
        start=booted + begun,
        seconds=done - begun,
        problem=_late(status, done - begun, pace) or _oversized(number, streams),
    )


def _frames(marker: str, printed: str) -> tuple[Framed, bytes | None]:
    """Return what the frame says and the decoded payload; None for one that is not whole."""
    framed: Framed = {"ran": []}
    payload: list[str] = []
    lines = printed.splitlines()
    if f"{marker} end" not in lines:
        return framed, None
    for line in lines[: lines.index(f"{marker} end")]:
        if line.startswith(f"{marker} "):
            kind, *words = line.split()[1:]
            framed.setdefault(kind, []).append(words)
        elif "payload" in framed:
            payload.append(line.strip())
    return framed, _decoded(framed["payload"][0][0], "".join(payload))


def _decoded(encoding: str, payload: str) -> bytes | None:
    try:
        if encoding == "hex":
            return bytes.fromhex(payload)
        return base64.b64decode(payload, validate=True)
    except (ValueError, binascii.Error):
        return None


def _streams(framed: Framed, payload: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Yield (file, content) in the order of the payload; None for one too large to send."""
    at = 0
    for name, size in framed.get("size", []):
        if int(size) > LARGEST_BYTES:
            yield name, None
            continue
        yield name, payload[at : at + int(size)]
        at += int(size)


def _late(status: int, seconds: float, pace: Pace) -> str:
    is_late = status in _TIMED_OUT and seconds >= pace.command_seconds - 1
    return f"did not end within {pace.command_seconds} s." if is_late else ""


def _oversized(number: int, streams: Mapping[str, bytes | None]) -> str:
    if any(streams.get(f"{kind}{number}", b"") is None for kind in "oe"):
        return f"printed more than {LARGEST_BYTES // 1024 // 1024} MiB."
    return ""


def _cut_short(printed: str, marker: str) -> str:
    if re.search(rf"^{marker} nowhere$", printed, re.MULTILINE):
        return "was not asked: the node has no writable /run, /dev/shm or /tmp to stage answers in."
    return "has no answer: what the node sent was cut short."
