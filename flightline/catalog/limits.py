"""A floor is believed only where it lies between 0.3 and 1.05 of the specification.

Others' tables carry slips of three orders of magnitude: DCGM's floor for the H200's memory is
2333 MB/s, which no GPU can fail (NVIDIA/DCGM nvvs/diag-skus.yaml.in, read 2026-11-20).
"""

from __future__ import annotations

from collections.abc import Iterator

from flightline.catalog.model import Collective, Figure, Gpu, RdmaPort

LEAST, MOST = 0.3, 1.05
"""0.3: the lowest floor in use is 0.33 of the specification (DCGM, GB200's memory). 1.05: what
rounding in specifications explains."""

NVLS = 1.15
"""All-reduce inside NVSwitches moves less than busbw counts: 482 GB/s were measured on eight H200
with 450 GB/s of links (ml-engineering network/README.md, read 2026-11-20)."""

_USABLE_X16 = {3: 15.75, 4: 31.5, 5: 63.0, 6: 126.0}
"""GB/s of 16 lanes in one direction after line coding (PCI Express base specification)."""

UNITS = {
    "memory": "GiB",
    "memory_bandwidth": "GB/s",
    "nvlink_rate": "GB/s",
    "power": "W",
    "bf16": "TFLOPS",
    "fp8": "TFLOPS",
    "h2d": "GB/s",
    "d2h": "GB/s",
    "p2p": "GB/s",
    "all_reduce": "GB/s",
}
"""The one unit of each figure; a number of GPUs after the metric ("all_reduce_8") changes none."""


def metric(name: str) -> str:
    """Return the metric without its number of GPUs: "all_reduce" of "all_reduce_8"."""
    stem, _, count = name.rpartition("_")
    return stem if count.isdigit() else name


def specification(gpu: Gpu, name: str) -> float | None:
    """Return the specified value of a metric, in the metric's unit; None where there is none."""
    by_metric = {
        "memory_bandwidth": gpu.memory_bandwidth.value,
        "bf16": gpu.bf16.value if gpu.bf16 else None,
        "fp8": gpu.fp8.value if gpu.fp8 else None,
        "h2d": _pcie(gpu),
        "d2h": _pcie(gpu),
        "p2p": _links(gpu),
        "all_reduce": _collective(gpu, name),
    }
    return by_metric.get(metric(name))


def problems(gpu: Gpu) -> Iterator[str]:
    """Yield "field: what is wrong" for each figure with a wrong unit or an unbelievable value."""
    for field, figure in _figures(gpu):
        yield from _unit(field, figure)
    for field, figures, most in (("floors", gpu.floors, MOST), ("achieved", gpu.achieved, NVLS)):
        for name, figure in figures.items():
            if metric(name) in UNITS:
                yield from _bounds(gpu, field, name, figure, most)


def fabric_problems(entry: RdmaPort | Collective) -> Iterator[str]:
    """Yield what is wrong with a floor of the fabric; a port's is bounded by its rate, Gb/s."""
    expected = "Gb/s" if isinstance(entry, RdmaPort) else "GB/s"
    if entry.floor.unit != expected:
        yield f"floor: the unit is {entry.floor.unit}, expected {expected}"
    if isinstance(entry, RdmaPort):
        share = entry.floor.value / entry.rate_gbps
        if not LEAST <= share <= MOST:
            yield f"floor: it is {share:.3g} of the port's rate, expected {LEAST} to {MOST}"


def _figures(gpu: Gpu) -> Iterator[tuple[str, Figure]]:
    for field in ("memory", "memory_bandwidth", "nvlink_rate", "power", "bf16", "fp8"):
        figure = getattr(gpu, field)
        if figure is not None:
            yield field, figure
    for field, figures in (("floors", gpu.floors), ("achieved", gpu.achieved)):
        for name, figure in figures.items():
            yield f"{field}.{name}", figure


def _unit(field: str, figure: Figure) -> Iterator[str]:
    expected = UNITS.get(metric(field.rsplit(".", maxsplit=1)[-1]))
    if expected is None:
        yield f"{field}: there is no such metric; the metrics are {', '.join(UNITS)}"
    elif figure.unit != expected:
        yield f"{field}: the unit is {figure.unit}, expected {expected}"


def _bounds(gpu: Gpu, field: str, name: str, figure: Figure, most: float) -> Iterator[str]:
    specified = specification(gpu, name)
    if specified is None:
        yield f"{field}.{name}: the entry specifies nothing that this could be compared with"
    elif not LEAST * specified <= figure.value <= most * specified:
        yield (
            f"{field}.{name}: {figure.value:g} {figure.unit} is {figure.value / specified:.3g} of "
            f"the specified {specified:g}, expected {LEAST} to {most}"
        )


def _pcie(gpu: Gpu) -> float:
    return _USABLE_X16[gpu.pcie_generation] * gpu.pcie_width / 16


def _links(gpu: Gpu) -> float | None:
    return gpu.nvlink_links * gpu.nvlink_rate.value if gpu.nvlink_rate else None


def _collective(gpu: Gpu, name: str) -> float | None:
    """Bridges join two cards; more than two meet over PCIe."""
    is_joined = not gpu.nvlink_by_bridge or name.endswith("_2")
    links = _links(gpu)
    return links if links and is_joined else _pcie(gpu)
