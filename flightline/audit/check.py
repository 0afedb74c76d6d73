"""The language of checks: plain testinfra functions with an id, a claim, a severity, a remedy.

    @check("kernel-swap-off", "swap is off, so latency has no cliff",
           severity=WARNING, phase=CONVERGED, remedy="run `flightline apply --role kernel`")
    def swap_off(host: Host, kernel: KernelSettings) -> None:
        ...

A check passes when it returns, fails when it raises AssertionError (its message is the sentence
that a person reads), is not applicable when it calls `not_applicable(proof)`, and is unknown on
any other exception: what cannot be measured never passes.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from flightline.acceptance.kinds import Between


class Severity(enum.StrEnum):
    """How much a failure matters; `critical` and `error` block go-live, `warning` is reported."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"


class Phase(enum.StrEnum):
    """When a check may run: before a node is touched, after apply, or loading the machine."""

    PREFLIGHT = "preflight"
    CONVERGED = "converged"
    ACCEPTANCE = "acceptance"


CRITICAL, ERROR, WARNING = Severity.CRITICAL, Severity.ERROR, Severity.WARNING
PREFLIGHT, CONVERGED, ACCEPTANCE = Phase.PREFLIGHT, Phase.CONVERGED, Phase.ACCEPTANCE


class NotApplicable(Exception):  # noqa: N818 - an outcome, not an error
    """The check does not concern this node; the message is the proof."""


class Unknown(Exception):  # noqa: N818 - an outcome, not an error
    """The check could not measure; the message says why. Blocks go-live."""


def not_applicable(proof: str) -> NoReturn:
    """End the check as not applicable, with the observation that proves it."""
    raise NotApplicable(proof)


def unknown(why: str) -> NoReturn:
    """End the check as unknown, saying what could not be measured."""
    raise Unknown(why)


@dataclass(frozen=True)
class Check:
    """One check as registered: what it claims, and the function that judges it."""

    id: str
    claim: str
    severity: Severity
    phase: Phase
    remedy: str
    role: str
    depends: tuple[str, ...]
    function: Callable[..., None]
    between: Between | None = None


F = TypeVar("F", bound=Callable[..., None])
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+){2,}")  # role-subject-aspect
REGISTRY: dict[str, Check] = {}


def check(
    id: str,
    claim: str,
    *,
    severity: Severity,
    phase: Phase = CONVERGED,
    remedy: str,
    depends: tuple[str, ...] = (),
    between: Between | None = None,
) -> Callable[[F], F]:
    """Register a function `(host, settings)` of `roles/<role>/checks.py` as a check.

    `depends` names checks whose failure explains this one: it is then reported as suppressed by
    them, not as one more alarm. `between`, for an acceptance check, is what is measured
    between nodes before it is judged (flightline/acceptance). Raises ValueError at
    import when an id is malformed, does not start with its role's name, or is taken.
    """

    def register(function: F) -> F:
        role = function.__module__.split(".")[-2]
        if not _ID.fullmatch(id) or not id.startswith(f"{role}-"):
            raise ValueError(f"check id {id!r} is not of the form {role}-subject-aspect")
        if id in REGISTRY and _source(REGISTRY[id].function) != _source(function):
            raise ValueError(f"check id {id!r} is declared twice")
        REGISTRY[id] = Check(id, claim, severity, phase, remedy, role, depends, function, between)
        return function

    return register


def _source(function: Callable[..., Any]) -> tuple[str, int]:
    code = inspect.unwrap(function).__code__
    return code.co_filename, code.co_firstlineno
