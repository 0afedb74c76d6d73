"""The `flightline` command: a table of contents; each command lives in flightline/commands/."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from flightline.commands.lazy import LazyGroup

SUMMARIES = {
    "plan": "Check settings and nodes, and say what an apply would change.",
    "apply": "Make the nodes what the inventory declares, then audit them.",
    "audit": "Judge every check on every node; go or no-go.",
    "size": "Say whether a model fits GPUs, with the arithmetic.",
    "model": "Publish, list, verify and switch models.",
    "key": "Add, list and revoke API keys of the gateway.",
    "bench": "Measure a served model: latency, throughput, errors.",
    "catalog": "Look up GPUs, drivers, Xids: figures with their sources.",
    "checks": "List every check: claim, severity, phase, remedy, fault.",
    "lab": "Real nodes (virtual machines) on this computer.",
}


@click.group(
    cls=LazyGroup,
    summaries=SUMMARIES,
    modules="flightline.commands.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="flightline")
def cli() -> None:
    """From a bare operating system to an audited GPU node.

    Exit codes: 0 yes, done, go; 1 no, failed, no-go; 2 undecided, bad usage or bad input.
    """


def main() -> None:
    """Run the command line; a person never sees a traceback for bad input."""
    _refuse_closed_output()
    try:
        sys.exit(cli())
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"Error: {_told(error)}\n")
        sys.exit(2)


def _refuse_closed_output() -> None:
    """Python has None for a stream that was closed (`>&-`), which libraries take for a file."""
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - open until the end
    if sys.stdout is None:
        sys.stderr.write("Error: standard output is closed; use `>/dev/null` for no output.\n")
        sys.exit(2)


def _told(error: OSError | subprocess.CalledProcessError) -> str:
    """What this computer refused, such as a full disk; the commands themselves name the rest."""
    if isinstance(error, subprocess.CalledProcessError):
        said = " ".join(str(error.stderr or "").split()) or "it said nothing"
        return f"{error.cmd[0]} ended with exit status {error.returncode} on this computer: {said}."
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error} on this computer; mend that, then run again."
