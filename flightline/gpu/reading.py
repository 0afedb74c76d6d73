"""A value that a device may not report: nothing unmeasured is ever taken for good."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class State(enum.Enum):
    """Whether there is a value, and if not, why."""

    VALUE = "value"
    NOT_SUPPORTED = "not supported"
    """The device says that it has no such thing: `N/A`, `[N/A]`, `Not Supported`."""
    MISSING = "missing"
    """The element is not there: another driver, a trimmed file."""
    TROUBLE = "trouble"
    """The device could not say: `Unknown Error`, `GPU is lost`, a number that is none."""


@dataclass(frozen=True)
class Reading(Generic[T]):
    """One value, or why there is none; `raw` is the text as it was printed."""

    name: str
    """Where it stands, such as "ecc_mode/current_ecc"."""
    state: State
    value: T | None = None
    raw: str = ""

    @property
    def is_there(self) -> bool:
        """Whether there is a value."""
        return self.state is State.VALUE

    @property
    def is_unsupported(self) -> bool:
        """Whether the device says that it has no such thing."""
        return self.state is State.NOT_SUPPORTED
