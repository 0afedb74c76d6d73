"""QEMU's machine protocol (QMP): JSON lines over a unix socket.

Source: https://www.qemu.org/docs/master/interop/qmp-spec.html (read 2026-11).
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from flightline.errors import FlightlineError

ANSWER_SECONDS = 30.0


class MonitorError(FlightlineError):
    """QEMU refused a command, or went away before it answered."""


class Monitor:
    """An open QMP session: ask it to execute commands, one at a time."""

    def __init__(self, stream: BinaryIO, end: socket.socket) -> None:
        """Read the greeting and leave the capabilities negotiation behind."""
        self._stream = stream
        self._end = end
        self._read()
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: Any) -> Any:
        """Return what QEMU answers to the command; events that come between are dropped.

        Raises MonitorError where QEMU refuses, closes, or stays silent for ANSWER_SECONDS.
        """
        self._write({"execute": command, "arguments": arguments})
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise MonitorError(f"QEMU refused {command}: {answer['error'].get('desc', '')}.")

    def wait_for_migration(self, seconds: float) -> None:
        """Hold that the migration under way has completed; raise MonitorError otherwise."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = self.execute("query-migrate")
            if answer.get("status") == "completed":
                return
            if answer.get("status") in ("failed", "cancelled"):
                raise MonitorError(
                    f"QEMU could not move the machine's state: {answer.get('error-desc', '')}."
                )
            time.sleep(0.05)
        raise MonitorError(f"QEMU had not moved the machine's state within {seconds:.0f} s.")

    def _write(self, question: dict[str, Any]) -> None:
        try:
            self._end.sendall(json.dumps(question).encode() + b"\n")
        except OSError as error:
            raise MonitorError(f"QEMU's monitor takes no commands ({error}).") from None

    def _read(self) -> dict[str, Any]:
        try:
            line = self._stream.readline()
        except OSError as error:
            raise MonitorError(f"QEMU's monitor does not answer ({error}).") from None
        if not line:
            raise MonitorError("QEMU closed its monitor.")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def monitor_of(path: Path, seconds: float = 5.0) -> Iterator[Monitor]:
    """Open the monitor at the socket path, waiting up to seconds for QEMU to offer it."""
    end = _connected(path, seconds)
    end.settimeout(ANSWER_SECONDS)
    with end, end.makefile("rb") as stream:
        yield Monitor(stream, end)


def _connected(path: Path, seconds: float) -> socket.socket:
    """Connect through the folder's descriptor: a socket's path holds 108 bytes only (unix(7))."""
    deadline = time.monotonic() + seconds
    folder = os.open(path.parent, os.O_PATH)
    try:
        while True:
            end = socket.socket(socket.AF_UNIX)
            with contextlib.suppress(OSError):
                end.connect(f"/proc/self/fd/{folder}/{path.name}")
                return end
            end.close()
            if time.monotonic() > deadline:
                raise MonitorError(f"QEMU offers no monitor at {path}.")
            time.sleep(0.05)
    finally:
        os.close(folder)
