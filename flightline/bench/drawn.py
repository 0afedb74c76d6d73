"""The energy of a run, from samples that another process reads while the load runs."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from subprocess import PIPE

from flightline.bench.power import Samples

READER = (sys.executable, "-m", "flightline.bench.power")
READY_SECONDS = 120.0
"""How long connecting to the nodes and their first answers may take."""
END_SECONDS = 60.0
"""How long the last answers and disconnecting may take."""
_FEWEST = 2


@dataclass
class Reading:
    """What a reader brings."""

    samples: Samples | None = None
    """Known when the load is over; None where they could not be read."""
    why: str = "its message is above"
    """Why not."""


@contextlib.contextmanager
def reading(inventory: str) -> Iterator[Reading]:
    """Read the power while the body runs, from before its begin to after its end.

    A reader that is not ready in time, or ends, leaves no samples; the body runs all the same.
    """
    found, asked = Reading(), [*READER, inventory]
    with subprocess.Popen(asked, stdin=PIPE, stdout=PIPE, text=True) as process:
        try:
            if not _is_ready(process):
                found.why = f"no answer of all nodes within {READY_SECONDS:g} s"
                process.terminate()
            yield found
            said, _ = process.communicate(timeout=END_SECONDS)  # ends its standard input
        except subprocess.TimeoutExpired:
            found.why = f"its reader did not end within {END_SECONDS:g} s"
            process.kill()
            return
        except BaseException:
            process.terminate()
            raise
    if not process.returncode:
        found.samples = json.loads(said)["samples"]


def _is_ready(process: subprocess.Popen[str]) -> bool:
    """Wait for the reader's first line, or its end."""
    out = process.stdout
    if out is None or not select.select([out], [], [], READY_SECONDS)[0]:
        return False
    out.readline()
    return True


def joules(samples: Samples, began: float, ended: float) -> float | None:
    """Return what all GPUs drew between two moments of time.monotonic().

    None where no node has a GPU, or one has fewer than two samples in that time.
    """
    within = [
        [watts for moment, watts in each if began <= moment <= ended] for each in samples.values()
    ]
    if not within or any(len(each) < _FEWEST for each in within):
        return None
    return sum(map(fmean, within)) * (ended - began)
