"""What happened, when, on which node: one JSON object per line, written as it happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

from flightline.errors import FlightlineError
from flightline.project import runs

Status = Literal["ok", "failed", "unreachable", "refused", "skipped", "interrupted"]


@dataclass(frozen=True)
class Event:
    """The end of one operation on one node, or of the attempt to reach the node."""

    time: str
    """UTC, ISO 8601."""
    node: str
    role: str
    """"" for what belongs to no role, such as the lock and the reboot."""
    operation: str
    status: Status
    changed: bool
    seconds: float
    message: str = ""
    """One sentence for a failure."""


def now() -> str:
    """Return the present time as events carry it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class EventLog:
    """The file that the events of one run go to."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, event: Event) -> None:
        """Append the event; it is in the file when this returns."""
        self._stream.write(json.dumps(asdict(event), ensure_ascii=False) + "\n")
        self._stream.flush()


@contextmanager
def event_log(folder: Path) -> Iterator[EventLog]:
    """Open `events.jsonl` in the run's folder for appending."""
    with (folder / "events.jsonl").open("a", encoding="utf-8") as stream:
        yield EventLog(stream)


def new_run_folder(kind: str) -> Path:
    """Make and return the folder of this run, `flightline-runs/<UTC time>-<kind>`.

    FLIGHTLINE_RUNS names another parent. Raises FlightlineError when it cannot be made.
    """
    parent = runs()
    for attempt in range(100):
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        folder = parent / f"{stamp}-{kind}{f'-{attempt}' if attempt else ''}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise FlightlineError(
                f"the run's folder {folder} cannot be made ({error.strerror}); "
                "set FLIGHTLINE_RUNS to a folder that can be written."
            ) from error
        return folder
    raise FlightlineError(f"{parent} has a hundred runs of this second; try again.")
