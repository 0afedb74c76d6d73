"""Where the operator's project is, and which roles it has; roles are found, never named here."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from flightline.errors import FlightlineError


def root() -> Path:
    """Return the project's root: the nearest folder upwards with deploy.py beside roles/.

    Raises FlightlineError where there is none.
    """
    start = Path(os.environ.get("FLIGHTLINE_PROJECT", ".")).resolve()
    for folder in (start, *start.parents):
        if (folder / "deploy.py").is_file() and (folder / "roles").is_dir():
            return folder
    raise FlightlineError(
        f"{start} is not in a Flightline project (no deploy.py beside roles/ here or above); "
        "change into the project or set FLIGHTLINE_PROJECT."
    )


def enter() -> Path:
    """Make the project's root the working directory and the first place for imports; return it.

    pyinfra appends the working directory to sys.path, where an installed package named `roles` or
    `tests` would win over ours (facts: pyinfra 3.10 pyinfra_cli/cli.py, read 2026-11-20).
    """
    folder = root()
    os.chdir(folder)
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))
    return folder


def runs() -> Path:
    """Return the folder that keeps what each run leaves: FLIGHTLINE_RUNS, or flightline-runs."""
    return Path(os.environ.get("FLIGHTLINE_RUNS") or "flightline-runs")


def refuse_missing(file: str, field: str) -> None:
    """Raise FlightlineError where a file that a setting names cannot be read.

    `file` is relative to the project's root, or absolute.
    """
    path = root() / file
    try:
        path.read_bytes()
    except OSError as error:
        raise FlightlineError(
            f"{path} cannot be read ({error.strerror}), and {field} names it; put the file there, "
            "or correct the setting."
        ) from None


def role_names() -> tuple[str, ...]:
    """Return the names of the roles of this project, sorted."""
    return tuple(sorted(path.parent.name for path in (root() / "roles").glob("*/settings.py")))


def role_modules(slot: str) -> Iterator[tuple[str, ModuleType]]:
    """Yield (role, module) for each role that has the slot, such as "checks" or "settings"."""
    folder = enter()
    for role in role_names():
        if (folder / "roles" / role / f"{slot}.py").is_file():
            yield role, importlib.import_module(f"roles.{role}.{slot}")
