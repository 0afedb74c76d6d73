"""Which of several alike is slower than the others; pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

PERCENT = 3.0
"""Within one node, links and GPUs agree to far less: 0.2 % measured on 8 x H200 PCIe copies
(ml-engineering network/README.md, read 2026-11-20); 5 % is superbench's default between nodes."""

ROBUST_Z = -3.5
"""Iglewicz and Hoaglin's bound for outliers by median and MAD."""

FEW = 5
"""Below so many, a median absolute deviation says little: the percent rule alone holds."""


def slow(values: Mapping[str, float], percent: float = PERCENT) -> tuple[str, ...]:
    """Return the names of those clearly slower than their peers, in the order given.

    One is slow when it is `percent` below the median, and, where there are enough to tell, an
    outlier too. A bad majority defeats any such rule: an absolute floor must stand beside it.
    """
    if len(values) < 2:
        return ()
    median = statistics.median(values.values())
    spread = statistics.median(abs(each - median) for each in values.values())
    floor = median * (1 - percent / 100)
    return tuple(
        name
        for name, value in values.items()
        if value < floor and (len(values) < FEW or _z(value, median, spread) < ROBUST_Z)
    )


def _z(value: float, median: float, spread: float) -> float:
    return 0.6745 * (value - median) / spread if spread else -float("inf")


def least(rows: Sequence[Sequence[float | None]]) -> dict[str, float]:
    """Return each column's smallest cell by its number as text: one slow link hides in a mean."""
    columns: dict[str, float] = {}
    for row in rows:
        for number, value in enumerate(row):
            if value is not None:
                columns[str(number)] = min(value, columns.get(str(number), value))
    return columns
