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
from importlib import resources
from typing import Any

from flightline.audit.answers import Answer, missing

COMMAND_SECONDS = 60
"""A command that runs longer is stopped and its checks are unknown; the slowest honest one, an
initramfs listing on a busy emulated node, took 12 s (Debian 12, QEMU TCG, 2026-11-21)."""

AT_ONCE = 8
"""Most commands that a node works on at the same time; never more than it has CPUs, so that none
is slowed until it looks hung."""

SCRIPT_SECONDS = 600
"""How long a node may take for a whole round before it counts as unreachable."""

LARGEST_BYTES = 4 * 1024 * 1024
"""Bound of one output; eight GPUs' `nvidia-smi -q -x` is 0.36 MB (captured from 8 B200)."""

_TIMED_OUT = frozenset({124, 137})  # timeout(1): stopped by TERM, then by KILL
Framed = dict[str, list[list[str]]]


def new_marker() -> str:
    """Return a marker that no output contains by accident."""
    return f"flightline-{secrets.token_hex(12)}"


def script(commands: Sequence[str], marker: str) -> str:
    """Return the script that answers the commands, numbered from 0 in the given order."""
    template = resources.files("flightline.audit").joinpath("collect.sh").read_text("utf-8")
    asks = [f"ask {n} {shlex.quote(command)}" for n, command in enumerate(commands)]
    rows = (asks[first::AT_ONCE] for first in range(min(AT_ONCE, len(asks))))
    asked = "\n".join(
        f"(\n{row}\n) &\nlane {number}" for number, row in enumerate(map("\n".join, rows), start=1)
    )
    return (
        template.replace("@MARKER@", marker)
        .replace("@COMMAND_SECONDS@", str(COMMAND_SECONDS))
        .replace("@LARGEST_BYTES@", str(LARGEST_BYTES))
        .replace("@ASKED@", asked)
    )


def read(commands: Sequence[str], marker: str, printed: str) -> dict[str, Answer]:
    """Return an answer for every command; one that is missing says why."""
    framed, payload = _frames(marker, printed)
    if payload is None:
        return {each: missing(each, _cut_short(printed, marker)) for each in commands}
    clock, uptime = (float(word) for word in framed["begin"][0])
    streams = dict(_streams(framed, payload))
    ran = {int(number): (int(status), *spans) for number, status, *spans in framed["ran"]}
    return {
        each: _answer(each, number, ran.get(number), clock - uptime, streams)
        for number, each in enumerate(commands)
    }


def _answer(
    command: str, number: int, ran: Any, booted: float, streams: Mapping[str, bytes | None]
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
        problem=_problem(number, status, done - begun, streams),
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


def _problem(number: int, status: int, seconds: float, streams: Mapping[str, bytes | None]) -> str:
    if status in _TIMED_OUT and seconds >= COMMAND_SECONDS - 1:
        return f"did not end within {COMMAND_SECONDS} s."
    if any(streams.get(f"{kind}{number}", b"") is None for kind in "oe"):
        return f"printed more than {LARGEST_BYTES // 1024 // 1024} MiB."
    return ""


def _cut_short(printed: str, marker: str) -> str:
    if re.search(rf"^{marker} nowhere$", printed, re.MULTILINE):
        return "was not asked: the node has no writable /run, /dev/shm or /tmp to stage answers in."
    return "has no answer: what the node sent was cut short."
