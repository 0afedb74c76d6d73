"""Which operations a run with `--role` does, and which nodes are a batch."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from flightline import project
from flightline.errors import FlightlineError

if TYPE_CHECKING:
    from flightline.converge.inside import Step

T = TypeVar("T")

REBOOT = "reboot_when_needed"
"""The reboot operation's name: it acts for the roles that have reboot probes."""


class Roles:
    """The roles that a run does; all of them when none is named.

    Raises FlightlineError, naming the roles that there are, for one that does not exist.
    """

    def __init__(self, wanted: Sequence[str] = ()) -> None:
        known = project.role_names()
        for name in wanted:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                guess = f" Did you mean {near[0]}?" if near else ""
                raise FlightlineError(
                    f"there is no role {name}; the roles are {', '.join(known)}.{guess}"
                )
        self._known = known
        self.wanted = tuple(wanted)
        self._may_reboot = not wanted or any(map(_has_reboot_probes, wanted))

    def includes(self, step: Step) -> bool:
        """Tell whether the operation is part of the run.

        What stands directly in deploy.py, such as the lock, always is; the reboot only when one of
        the roles can ask for it.
        """
        if not self.wanted:
            return True
        if step.function == REBOOT:
            return self._may_reboot
        return step.role not in self._known or step.role in self.wanted


def _has_reboot_probes(role: str) -> bool:
    return hasattr(importlib.import_module(f"roles.{role}"), "reboot_probes")


def batches(items: Sequence[T], size: str | None) -> list[list[T]]:
    """Return the items in batches of `size`, a count such as "2" or a share such as "25%".

    A share is rounded down, to one at least. Raises FlightlineError for anything else.
    """
    if not items:
        return []
    width = _width(size, len(items)) if size else len(items)
    return [list(items[start : start + width]) for start in range(0, len(items), width)]


def _width(size: str, total: int) -> int:
    number = size.removesuffix("%")
    value = int(number) if number.isascii() and number.isdigit() else 0
    is_share = size.endswith("%")
    if not value or (is_share and value > 100):
        raise FlightlineError(
            f"--batch {size} is neither a number of nodes, such as 2, nor a share, such as 25%."
        )
    return max(1, total * value // 100) if is_share else value
