"""`nvidia-smi -L` as records: the profiles of the MIG devices of each GPU."""

from __future__ import annotations

import re

COMMAND = "LC_ALL=C nvidia-smi -L"
"""Lists every GPU and its MIG devices; the report of `-q -x` has no profile names."""

_GPU = re.compile(r"^GPU (\d+): ")
_DEVICE = re.compile(r"^\s+MIG (\S+)\s+Device\s+\d+:")


def parse_mig(text: str) -> dict[int, tuple[str, ...]]:
    """Return the profiles of every GPU's MIG devices, sorted, by the GPU's number in nvidia-smi.

    Documented lines (NVIDIA MIG user guide, read 2026-11-21): `GPU 0: A100-SXM4-40GB (UUID:
    GPU-...)`, `  MIG 3g.20gb Device 0: (UUID: MIG-...)`. Raises ValueError when no GPU is listed.
    """
    found: dict[int, list[str]] = {}
    devices: list[str] | None = None
    for line in text.splitlines():
        if gpu := _GPU.match(line):
            devices = found.setdefault(int(gpu.group(1)), [])
        elif devices is not None and (device := _DEVICE.match(line)):
            devices.append(device.group(1))
    if not found:
        raise ValueError("nvidia-smi -L lists no GPU")
    return {index: tuple(sorted(each)) for index, each in found.items()}
