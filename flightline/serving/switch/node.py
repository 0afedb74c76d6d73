"""How a switch reaches a node: the one way in and out, and what can come of it."""

from __future__ import annotations

import time
from typing import Protocol

from flightline.errors import FlightlineError

COMMAND_SECONDS = 60.0
"""How long a command may take that only looks or sets something; an emulated node needs seconds."""


class Lost(Exception):  # noqa: N818 - named for what happened
    """A node stopped answering: what is there goes on as it is, and cannot be asked."""

    def __init__(self, node: str, why: str) -> None:
        super().__init__(f"{node} stopped answering ({why})")
        self.node = node


class Failed(Exception):  # noqa: N818 - named for what happened
    """A step did not come to its end; the sentence says where and with which figures."""


class Refused(FlightlineError):  # noqa: N818 - named for what happened
    """A switch that was not begun: nothing was changed. Exit code 2."""


class Node(Protocol):
    """A node, as root."""

    def run(
        self, command: str, stdin: str = "", *, timeout_seconds: float = COMMAND_SECONDS
    ) -> tuple[int, str, str]:
        """Run a POSIX shell command; return exit status, standard output and standard error.

        Standard input is ASCII, as JSON is. Raises Lost when the node does not answer.
        """


class Clock(Protocol):
    """Time, so that tests need not wait."""

    def now(self) -> float:
        """Return seconds that only grow."""

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""


class WallClock:
    """The computer's own time."""

    def now(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        time.sleep(seconds)


def said(output: str, errors: str) -> str:
    """Return what a failed command said, on one line, its end if it is long."""
    text = " ".join(f"{errors} {output}".split())
    return text[-300:] or "it said nothing"
