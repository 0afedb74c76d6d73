"""Bringing live sysctl values to what is wanted."""

from __future__ import annotations

import shlex
from collections.abc import Mapping


def set_values(wanted: Mapping[str, str], live: Mapping[str, str]) -> list[str]:
    """Return the one command that sets what differs; none when nothing does.

    A key that the kernel does not have is skipped: it is not in `live`.
    """
    differing = {key: value for key, value in wanted.items() if key in live and live[key] != value}
    if not differing:
        return []
    return ["sysctl -q -w " + shlex.join(f"{key}={value}" for key, value in differing.items())]
