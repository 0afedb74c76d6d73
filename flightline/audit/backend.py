"""testinfra over answers that are already there: a check runs in microseconds, without a network.

A command that was not asked yet ends the check by `Unanswered`; the audit collects those of all
checks, asks them in one go, and runs the aborted checks again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from flightline.audit import answers
from flightline.audit.answers import Answer
from flightline.audit.check import Unknown

Guess = Callable[[str], Answer | None]


class Unanswered(BaseException):
    """A check asked a command that has no answer yet; its own `except Exception` lets it pass."""


class AnsweredBackend(BaseBackend):  # type: ignore[misc]  # testinfra has no type marker
    """testinfra's backend that looks commands up instead of running them.

    Afterwards `asked` has every command in the order of first use, `unanswered` the one that had
    no answer, and `problem` the reason why some answer was unusable: also when the check swallowed
    the exception, so that nothing unmeasured can pass.
    """

    NAME = "flightline"

    def __init__(self, node: str, known: Mapping[str, Answer], guess: Guess | None = None) -> None:
        super().__init__(node)
        # testinfra 10.2 asks the node's python for its encoding otherwise (backend/base.py)
        self._encoding = "utf-8"
        self._known = known
        self._guess = guess
        self.asked: dict[str, None] = {}
        self.unanswered: str | None = None
        self.problem: str | None = None
        self.last: Answer | None = None

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:
        """Return the known answer; raises Unanswered without one, Unknown for an unusable one."""
        wanted = self.get_command(command, *args)
        self.asked[wanted] = None
        answer = self.last = self._answer(wanted)
        if answer.problem:
            self.problem = f"`{shortened(wanted)}` {answer.problem}"
            raise Unknown(self.problem)
        return self.result(answer.exit_status, wanted.encode(), answer.stdout, answer.stderr)

    def decode(self, data: bytes) -> str:
        """Return text; bytes that are not UTF-8 show as escapes."""
        return answers.text(data)

    def _answer(self, wanted: str) -> Answer:
        answer = self._known.get(wanted)
        if answer is None and self._guess is not None:
            answer = self._guess(wanted)
        if answer is None:
            self.unanswered = wanted
            raise Unanswered(wanted)
        return answer


def fresh_host(backend: AnsweredBackend) -> Host:
    """Return a testinfra host that remembers nothing of earlier runs.

    testinfra caches module detection on the host object, so one is made for each run of a check.
    """
    host = Host(backend)
    backend.set_host(host)
    return host


def shortened(command: str, limit: int = 120) -> str:
    """Return a command on one line, fit for a sentence."""
    line = " ".join(command.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
