"""When a reboot may happen, and how a role says that it needs one."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from flightline.settings import Settings


class RebootSettings(Settings):
    """Whether and how long Flightline may reboot a node."""

    allowed: bool = True
    """False ends the run with "reboot pending" and a non-zero exit instead of rebooting."""

    timeout_seconds: int = Field(default=1800, ge=30, le=7200)
    """How long a node may take to come back; 8-GPU servers POST for up to 15 minutes."""


@dataclass(frozen=True)
class RebootProbe:
    """One reason for a reboot, judged on the live node.

    `command` is a POSIX shell test, run as root, that exits 0 exactly while the reboot is needed,
    so that the need is derived from the node's state and survives an interrupted run.
    """

    reason: str
    command: str
