"""Loading modules, and unloading those that must not be there."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence


def load(wanted: Sequence[str], present: Collection[str]) -> list[str]:
    """Return the command that loads what is missing; none when all are there."""
    absent = [name for name in wanted if name not in present]
    return [f"modprobe -a -- {shlex.join(absent)}"] if absent else []


def unload(unwanted: Sequence[str], present: Collection[str]) -> list[str]:
    """Return a command per unwanted module that is loaded.

    A module in use cannot be unloaded; the command then succeeds and says so, because the reboot
    probe asks for the reboot that removes it.
    """
    return [
        f"modprobe -r -- {name} || echo '{name} is in use; a reboot removes it' >&2"
        for name in unwanted
        if name in present
    ]
