"""What a bare capture shows of a node, for a person."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from flightline.report.record import GpuSeen, Inventory

_HEADINGS = ("gpu", "address", "model", "memory", "ECC", "MIG", "link", "temperature", "power")
_ABSENT = "-"


def headline(node: str, seen: Inventory) -> Text:
    """Return the line above the table: driver, CUDA, how many GPUs, when."""
    listed, attached = len(seen.gpus), seen.attached_gpus
    gpus = f"{listed}" if attached in (None, listed) else f"{listed} of {attached}"
    parts = (
        f"driver {seen.driver or 'unknown'}",
        f"CUDA {seen.cuda or 'unknown'}",
        f"{gpus} {'GPU' if gpus == '1' else 'GPUs'} listed",
        f"captured {seen.captured}" if seen.captured else "no date",
    )
    return Text(f"{node}: {', '.join(parts)}")


def table(seen: Inventory) -> Table:
    """Return a row for each GPU; a dash stands for what is not there."""
    shown = Table(box=None, pad_edge=False)
    for heading in _HEADINGS:
        shown.add_column(heading, no_wrap=True)
    for index, gpu in enumerate(seen.gpus):
        shown.add_row(*map(Text, _cells(index, gpu)))
    return shown


def _cells(index: int, gpu: GpuSeen) -> Iterable[str]:
    yield str(index)
    yield gpu.address
    yield gpu.model or f"{gpu.product or 'without a name'} (not in the catalog)"
    yield _with_unit(gpu.memory_mib, "MiB")
    yield _on(gpu.ecc)
    yield f"{_on(gpu.mig)}, {gpu.mig_devices} devices" if gpu.mig else _on(gpu.mig)
    yield _link(gpu)
    yield _with_unit(gpu.temperature_c, "C")
    yield f"{_with_unit(gpu.power_w, 'W')} of {_with_unit(gpu.power_limit_w, 'W')}"


def _on(flag: bool | None) -> str:
    return _ABSENT if flag is None else "on" if flag else "off"


def _with_unit(number: float | None, unit: str) -> str:
    return _ABSENT if number is None else f"{number:g} {unit}"


def _link(gpu: GpuSeen) -> str:
    generation = _ABSENT if gpu.pcie_generation is None else f"gen {gpu.pcie_generation}"
    return generation if gpu.pcie_width is None else f"{generation} x{gpu.pcie_width}"
