"""Runs a loading program in a check, and holds its figures against floor and peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from testinfra.host import Host

from flightline import catalog
from flightline.audit.check import unknown
from flightline.catalog.model import Gpu
from flightline.gpu.evidence import gpus_on_bus
from flightline.gpu.load import commands, peers, results
from roles.nvidia.settings import NvidiaSettings

T = TypeVar("T")


def model(host: Host) -> Gpu:
    """Return the catalog's entry of the node's GPUs; ends the check where there is none."""
    found = {device.device for device in gpus_on_bus(host)}
    gpu = catalog.gpu_by_device(found.pop()) if len(found) == 1 else None
    if gpu is None:
        unknown("the GPUs are not one model of the catalog, so there is no figure to expect.")
    return gpu


def result(host: Host, command: str, read: Callable[[str], T], *, may_fail: bool = False) -> T:
    """Run a loading program and read what it printed; ends the check as unknown where it cannot.

    `may_fail`: the program's exit status says that something is wrong, and its output what.
    """
    done = host.run(command)
    said = (done.stderr.strip().splitlines() or ["no message"])[-1]
    if done.rc == commands.BUSY:
        unknown(f"{said}, nothing was loaded; drain the node first.")
    if done.rc == commands.NO_PROGRAM:
        unknown(f"{said}; install it, or name an image in NvidiaSettings.acceptance.image.")
    if done.rc and not may_fail:
        unknown(f"the program ended with exit status {done.rc} ({said}).")
    try:
        return read(done.stdout)
    except results.ResultError as error:
        unknown(f"{error}.")


def judge(
    nvidia: NvidiaSettings, gpu: Gpu, metric: str, found: Mapping[str, float], unit: str
) -> None:
    """Hold that all reach the floor, and none lags behind its peers."""
    if not found:
        unknown(f"nothing was measured for {metric}.")
    _above_floor(nvidia, gpu, metric, found, unit)
    percent = nvidia.acceptance.peer_percent
    slow = peers.slow(found, percent)
    assert not slow, (
        f"{metric} of GPU {', '.join(slow)} is {', '.join(f'{found[each]:.1f}' for each in slow)} "
        f"{unit}, more than {percent:g} % below its peers' median "
        "(NvidiaSettings.acceptance.peer_percent)."
    )


def _above_floor(
    nvidia: NvidiaSettings, gpu: Gpu, metric: str, found: Mapping[str, float], unit: str
) -> None:
    figure = gpu.floors.get(metric)
    floor = nvidia.acceptance.floors.get(metric, figure.value if figure else None)
    if floor is None:
        unknown(
            f"{metric} is {min(found.values()):.1f} {unit}, but no floor is published for the "
            f'{gpu.name}; set one in NvidiaSettings.acceptance.floors, such as {{"{metric}": ...}}.'
        )
    low = {name: value for name, value in found.items() if value < floor}
    source = figure.source if figure and metric not in nvidia.acceptance.floors else "declared"
    assert not low, (
        f"{metric} of GPU {', '.join(low)} is {', '.join(f'{each:.1f}' for each in low.values())} "
        f"{unit}, expected at least {floor:g} ({source})."
    )
