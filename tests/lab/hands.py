"""What an operator's hands do: the commands as typed, and the plain ssh client as the oracle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

Done = subprocess.CompletedProcess[str]


def typed(command: str, *arguments: str, nodes: str = "", seconds: int = 1500, **env: str) -> Done:
    """Run `flightline` or `pyinfra` as an operator does; `nodes` limits inventories/lab.py."""
    return subprocess.run(
        [str(BIN / command), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYINFRA_PROGRESS": "off", "FLIGHTLINE_LAB_NODES": nodes, **env},
    )


def on(node: str, command: str) -> str:
    """Return what a shell command prints on a node, as root, asked through the plain ssh client."""
    done = typed("flightline", "lab", "ssh", node, "--", f"sudo sh -c '{command}'", seconds=120)
    assert done.returncode == 0, f"{node}: {command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def reset(*nodes: str) -> None:
    """Make nodes pristine."""
    done = typed("flightline", "lab", "reset", *nodes)
    assert done.returncode == 0, done.stderr


def audit(nodes: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Return the audit's exit code and report."""
    done = typed(
        "flightline", "audit", "inventories/lab.py", "--format", "json", *arguments, nodes=nodes
    )
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, report


def failing(report: dict[str, Any]) -> set[tuple[str, str]]:
    """Return (node, check id) of all that did not pass and do apply."""
    fine = {"pass", "not-applicable", "waived"}
    return {
        (node["name"], check["id"])
        for node in report["nodes"]
        for check in node["checks"]
        if check["outcome"] not in fine
    }
