"""Ctrl-C: finish what each node is at, begin nothing more; a second one stops at once.

A package manager that is cut off in the middle leaves a node broken; one that may finish does not.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """Whether the person asked to stop."""

    def __init__(self, in_progress: Callable[[], str], on_first: Callable[[], None]) -> None:
        self.is_set = False
        self._in_progress = in_progress
        self._on_first = on_first

    def __call__(self) -> None:
        """Take one Ctrl-C."""
        doing = self._in_progress()
        if self.is_set:
            sys.stderr.write(f"\nStopped at once; in progress were {doing}.\n")
            sys.stderr.flush()
            os._exit(1)  # nothing here is half-written; sshd lets go of the nodes' locks
        self.is_set = True
        sys.stderr.write(
            f"\nInterrupted; finishing what is in progress: {doing}. "
            "Press Ctrl-C again to stop at once.\n"
        )
        sys.stderr.flush()
        self._on_first()


@contextmanager
def watched(interrupt: Interrupt) -> Iterator[None]:
    """Let the interrupt take SIGINT, SIGTERM and SIGHUP, until the block ends."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    watchers = [gevent.signal_handler(number, interrupt) for number in before]
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.cancel()
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
