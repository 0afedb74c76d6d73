"""`nvidia-smi nvlink --status` as records: which links of each GPU are up, and how fast."""

from __future__ import annotations

import re
from dataclasses import dataclass

COMMAND = "LC_ALL=C nvidia-smi nvlink --status"
"""Lists every NVLink of every GPU."""

_GPU = re.compile(r"^\s*GPU (\d+): ")
_LINK = re.compile(r"^\s*Link (\d+): (.*)$")
_SPEED = re.compile(r"([0-9.]+) GB/s")


@dataclass(frozen=True)
class GpuLinks:
    """The links of one GPU."""

    index: int
    """The GPU's number in nvidia-smi."""
    speeds_gbps: tuple[float | None, ...]
    """GB/s of each link in one direction, by link number; None for one that is not up."""

    @property
    def active(self) -> tuple[float, ...]:
        """The speeds of those that are up, GB/s."""
        return tuple(each for each in self.speeds_gbps if each is not None)

    @property
    def inactive(self) -> tuple[int, ...]:
        """The numbers of those that are listed and not up."""
        return tuple(number for number, each in enumerate(self.speeds_gbps) if each is None)


def parse_nvlink(text: str) -> tuple[GpuLinks, ...]:
    """Return the links by GPU; a GPU without any has an empty tuple.

    Real lines (driver 535, 8 A100, read 2026-11-20): `GPU 0: NVIDIA A100-SXM4-80GB (UUID: ...)`,
    `Link 0: 25 GB/s`; a link that is not up is `<inactive>` or `inActive`, by driver. Whatever
    is not a speed counts as not up. Raises ValueError when no GPU is listed.
    """
    found: dict[int, list[float | None]] = {}
    links: list[float | None] | None = None
    for line in text.splitlines():
        if gpu := _GPU.match(line):
            links = found.setdefault(int(gpu.group(1)), [])
        elif links is not None and (link := _LINK.match(line)):
            speed = _SPEED.match(link.group(2))
            links.append(float(speed.group(1)) if speed else None)
    if not found:
        raise ValueError("nvidia-smi nvlink lists no GPU")
    return tuple(GpuLinks(index, tuple(each)) for index, each in sorted(found.items()))
