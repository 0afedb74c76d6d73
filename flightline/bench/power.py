"""What the GPUs of an inventory draw, again and again: asked by a process of its own.

    python -m flightline.bench.power INVENTORY

prints `ready` when every node was asked once, then asks on until its standard input ends, and then
prints {"samples": {NODE: [[MOMENT, WATTS], ...]}}: moments are seconds of this computer's
time.monotonic(), which all its processes share. A process of its own because pyinfra's connections
bring gevent, which does not live beside asyncio.
"""

from __future__ import annotations

import json
import select
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flightline.errors import FlightlineError

Samples = dict[str, list[tuple[float, float]]]
"""Moments and the watts of a node's GPUs together, by the node's name."""

EVERY_SECONDS = 0.5
ANSWER_SECONDS = 20.0
"""How long nvidia-smi may take: some seconds without the persistence daemon."""
NO_GPU = 3
COMMAND = (
    f"command -v nvidia-smi >/dev/null || exit {NO_GPU}; "
    "LC_ALL=C nvidia-smi --query-gpu=index,power.draw --format=csv,noheader,nounits"
)


def watts(lines: Sequence[str]) -> float | None:
    """Return the draw of a node's GPUs together.

    Lines of `--query-gpu=index,power.draw --format=csv,noheader,nounits`: `0, 68.71`. None where a
    GPU cannot tell (`0, [N/A]`), and where nothing was said.
    """
    try:
        values = [float(line.partition(",")[2]) for line in filter(str.strip, lines)]
    except ValueError:
        return None
    return sum(values) if values else None


def sampled(
    ask: Callable[[], Mapping[str, Any]], unreached: Sequence[str], is_over: Callable[[], bool]
) -> Samples:
    """Return the samples of each node, asked at least once and until it is over.

    `ask` returns what COMMAND said on each node, or why it did not. A node without nvidia-smi is
    left out; one that did not answer, or cannot tell, has no sample of that moment.
    """
    found: Samples = {name: [] for name in unreached}
    while True:
        for name, answer in ask().items():
            rc = None if isinstance(answer, BaseException) else answer.rc
            if rc == NO_GPU:
                continue
            samples = found.setdefault(name, [])
            drawn = watts(answer.stdout.splitlines()) if rc == 0 else None
            if drawn is not None:
                samples.append((time.monotonic(), drawn))
        if is_over():
            return found


def measured(inventory: str, is_over: Callable[[], bool]) -> Samples:
    """Return the samples of each node of an inventory, read until it is over."""
    # pyinfra patches the standard library: it is loaded in the process that measures power alone
    from flightline.converge.session import connect  # noqa: PLC0415 - loads pyinfra
    from flightline.transport import run_as_root  # noqa: PLC0415 - loads pyinfra

    with connect(inventory) as session:
        return sampled(
            lambda: session.map(
                lambda host: run_as_root(host, COMMAND, timeout_seconds=ANSWER_SECONDS)
            ),
            tuple(session.failed),
            is_over,
        )


class _End:
    """Says after every round that it is at work, waits, and sees whether the input has ended."""

    def __init__(self) -> None:
        self.has_said = False

    def __call__(self) -> bool:
        if not self.has_said:
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            self.has_said = True
        return bool(select.select([sys.stdin], [], [], EVERY_SECONDS)[0])


if __name__ == "__main__":
    try:
        told = measured(sys.argv[1], _End())
    except FlightlineError as error:
        sys.exit(f"Error: {error.message}")
    except KeyboardInterrupt:  # whoever started it says so
        sys.exit(130)
    sys.stdout.write(json.dumps({"samples": told}) + "\n")
