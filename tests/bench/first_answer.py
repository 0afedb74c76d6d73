"""From `apply` on a tuned node to the first answered prompt, split into its parts.

Called by tests/bench/run.sh with a scratch folder. The node was converged before without anything
to serve; the lab then offers model, image and registry, and one more apply makes it serve.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
INVENTORY = "inventories/lab.py"
NODE = "node-1"
REPEATED = {"base", "kernel", "nvidia", "cuda", "fabric", "containers", ""}
"""Roles of the tuned node: their time is that of a second converge."""


def parts(events: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Return the seconds of an apply by part, in the order of their first event."""
    found: dict[str, float] = {}
    for event in events:
        role = event["role"]
        part = "the tuned node, once more" if role.lower() in REPEATED else role
        found[part] = found.get(part, 0.0) + event["seconds"]
    return found


def main(folder: str) -> None:
    """Measure once and print the table."""
    runs = Path(folder) / "runs"
    key = Path(folder) / "bench.key"
    _typed("lab", "up", "--nodes", "1")
    _typed("apply", INVENTORY, "--no-audit")
    _typed("lab", "serve")
    # no gateway is there yet: the apply brings the key to it
    added = ("--name", "bench", "--role", "data_scientist", "--output", str(key))
    _typed("key", "add", INVENTORY, *added, fine=(0, 1))
    began = time.monotonic()
    _typed("apply", INVENTORY, "--no-audit")
    applied = time.monotonic()
    measured = json.loads(_answered(key))
    total = time.monotonic() - began
    events = max(runs.glob("*-apply*/events.jsonl"))
    told = parts(json.loads(line) for line in events.read_text().splitlines())
    told["connections and planning"] = applied - began - sum(told.values())
    told["first prompt, with its client's start"] = total - (applied - began)
    table = Table("part", "seconds", box=None)
    for part, seconds in told.items():
        table.add_row(part, f"{seconds:.1f}")
    table.add_row("apply to first answer", f"{total:.1f}")
    console = Console()
    console.print(table)
    console.print(f"whole answer: {measured['whole_answer']['mean_ms']:.0f} ms", highlight=False)


def _answered(key: Path) -> str:
    """Return what `flightline bench` says of one request through the gateway."""
    status = json.loads(_typed("lab", "status", "--format", "json"))
    node = next(each for each in status if each["name"] == NODE)
    offered = json.loads((Path(os.environ["FLIGHTLINE_LAB_STATE"]) / "serving.json").read_text())
    return _typed(
        *("bench", f"https://localhost:{node['gateway_port']}", "--model", offered["model"]),
        *("--ca", str(Path(os.environ["FLIGHTLINE_LAB_STATE"]) / "authority" / "root.pem")),
        *("--key-file", str(key), "--requests", "1", "--prompt-tokens", "4"),
        *("--output-tokens", "4", "--format", "json"),
    )


def _typed(*arguments: str, fine: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        [str(BIN / "flightline"), *arguments],
        cwd=ROOT, text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "FLIGHTLINE_LAB_NODES": "", "PYINFRA_PROGRESS": "off"},
    )  # fmt: skip
    if done.returncode not in fine:
        raise SystemExit(
            f"flightline {' '.join(arguments)} ended with {done.returncode}:\n"
            f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
    return done.stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
