"""What a run leaves for whoever reads it later: events as they happen, the outcome, evidence."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from flightline.converge.events import Event, EventLog, now
from flightline.files import write_atomically
from flightline.serving.switch.outcome import Outcome

SCHEMA = "flightline.switch/1"


class Teller:
    """Says each thing that happens on standard error, and writes it to the run's events."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._last = time.monotonic()

    def __repr__(self) -> str:
        return "Teller()"

    def __call__(self, subject: str, step: str, sentence: str) -> None:
        """Tell one thing of a service (node/service) or of the model."""
        moment = time.monotonic()
        node, _, _ = subject.partition("/")
        self._log.write(
            Event(now(), node, "switch", step, "ok", True, round(moment - self._last, 3), sentence)
        )
        self._last = moment
        click.echo(f"{subject} {step}: {sentence}", err=True)


def to_json(outcome: Outcome, model: str) -> dict[str, Any]:
    """Return an outcome as plain data; its schema stays."""
    return {
        "schema": SCHEMA,
        "model": model,
        "verdict": outcome.verdict,
        "exit_code": outcome.exit_code,
        "mode": outcome.mode,
        "to": outcome.to,
        "serving": outcome.services,
        "message": outcome.sentence,
        "gates": outcome.findings,
    }


def keep(folder: Path, outcome: Outcome, model: str) -> None:
    """Write the outcome and its evidence into the run's folder."""
    text = json.dumps(to_json(outcome, model), indent=2, ensure_ascii=False)
    write_atomically(folder / "switch.json", f"{text}\n")
    for name, content in outcome.evidence.items():
        write_atomically(folder / "evidence" / name, content)
