"""What the GPUs of an inventory draw during a run: asked by a process of its own.

    python -m flightline.bench.power INVENTORY SECONDS

prints {"watts": {NODE: WATTS or null}} when the time is over. A process of its own because
pyinfra's connections bring gevent, which does not live beside asyncio.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from flightline.errors import FlightlineError

EVERY_MILLISECONDS = 500
COMMAND = (
    "command -v nvidia-smi >/dev/null || exit 3; LC_ALL=C timeout {seconds:.0f} nvidia-smi "
    "--query-gpu=index,power.draw --format=csv,noheader,nounits -lms {every} || test $? -eq 124"
)


def watts(lines: Sequence[str]) -> float | None:
    """Return the mean draw of a node's GPUs together, from samples of each.

    Lines of `--query-gpu=index,power.draw --format=csv,noheader,nounits`: `0, 68.71`. None where a
    GPU cannot tell (`0, [N/A]`), and where nothing was said.
    """
    samples: dict[str, list[float]] = {}
    try:
        for line in filter(str.strip, lines):
            index, _, value = line.partition(",")
            samples.setdefault(index.strip(), []).append(float(value))
    except ValueError:
        return None
    return sum(fmean(values) for values in samples.values()) if samples else None


def measured(inventory: str, seconds: float) -> dict[str, Any]:
    """Return each GPU node's mean draw in these seconds; a node without nvidia-smi has none."""
    # pyinfra patches the standard library: it is loaded in the process that measures power alone,
    # and whoever imports `total` from here stays as it is
    from flightline.converge.session import connect  # noqa: PLC0415 - loads pyinfra
    from flightline.transport import run_as_root  # noqa: PLC0415 - loads pyinfra

    command = COMMAND.format(seconds=seconds, every=EVERY_MILLISECONDS)
    with connect(inventory) as session:
        done = session.map(lambda host: run_as_root(host, command, timeout_seconds=seconds + 60))
        unreached = dict.fromkeys(session.failed)
    told = {
        name: watts(answer.stdout.splitlines())
        for name, answer in done.items()
        if not isinstance(answer, BaseException) and answer.rc == 0
    }
    return {"watts": {**unreached, **told}}


def total(nodes: dict[str, float | None]) -> float | None:
    """Return the draw of all nodes; None where one did not say, or none has a GPU."""
    known = [value for value in nodes.values() if value is not None]
    return sum(known) if known and len(known) == len(nodes) else None


if __name__ == "__main__":
    try:
        told = measured(sys.argv[1], float(sys.argv[2]))
    except FlightlineError as error:
        sys.exit(f"Error: {error.message}")
    sys.stdout.write(json.dumps(told) + "\n")
