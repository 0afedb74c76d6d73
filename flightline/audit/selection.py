"""Which checks an audit runs, and what belongs to a check from elsewhere in the project."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flightline import project
from flightline.audit.check import REGISTRY, Check, Phase
from flightline.errors import FlightlineError
from flightline.settings import Settings


@dataclass(frozen=True)
class Selection:
    """Roles, check ids and phase; empty means all."""

    roles: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    phase: Phase | None = Phase.CONVERGED


def all_checks() -> tuple[Check, ...]:
    """Return every check of every role of the project, by role, in the order of declaration.

    Raises FlightlineError, with the place, for a checks.py that cannot be loaded.
    """
    try:
        roles = [role for role, _ in project.role_modules("checks")]
    except Exception as error:
        raise FlightlineError(f"{_place(error)}: {type(error).__name__}: {error}") from error
    return tuple(each for role in roles for each in REGISTRY.values() if each.role == role)


def select(selection: Selection) -> tuple[Check, ...]:
    """Return the checks of the selection.

    Raises FlightlineError for a role or an id that does not exist, and when nothing is left:
    an audit of nothing must not look like a pass.
    """
    known = all_checks()
    _reject_strangers("role", selection.roles, project.role_names())
    _reject_strangers("check", selection.checks, [each.id for each in known])
    chosen = tuple(each for each in known if _chosen(each, selection))
    if not chosen:
        raise FlightlineError(
            "no check is left to run; loosen --role, --check or --phase, or add checks to roles/."
        )
    return chosen


def settings_classes() -> dict[str, type[Settings]]:
    """Return each role's settings class: the one named like the role in its settings.py."""
    found = {}
    for role, module in project.role_modules("settings"):
        name = "".join(word.capitalize() for word in role.split("_")) + "Settings"
        kind = getattr(module, name, None)
        if not (isinstance(kind, type) and issubclass(kind, Settings)):
            raise FlightlineError(f"roles/{role}/settings.py has no settings class named {name}.")
        found[role] = kind
    return found


def faults(role: str) -> dict[str, dict[str, Any]]:
    """Return the faults of a role's checks, from tests/faults; empty where the project has none."""
    path = project.root() / "tests" / "faults" / f"{role}.yaml"
    return _faults(path) if path.is_file() else {}


def _place(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    ours = str(project.root() / "roles")
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{each.filename}:{each.lineno}" for each in frames if each.filename.startswith(ours)]
    return places[-1] if places else "roles"


def _faults(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise FlightlineError(f"{path}:{line}: is not YAML.") from None
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise FlightlineError(
            f"{path}: expected one entry per check, with fault, break and mend, "
            "or with fault, machine and edit."
        )
    return found


def _chosen(check: Check, selection: Selection) -> bool:
    return (
        (not selection.roles or check.role in selection.roles)
        and (not selection.checks or check.id in selection.checks)
        and (selection.phase is None or check.phase is selection.phase)
    )


def _reject_strangers(kind: str, wanted: Collection[str], known: Collection[str]) -> None:
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "`flightline checks` lists them."
            raise FlightlineError(f"there is no {kind} {name}; {hint}")
