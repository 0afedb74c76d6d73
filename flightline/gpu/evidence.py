"""What checks ask a GPU machine: each question is one command, shared by all checks of a node."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from testinfra.host import Host

from flightline.audit.check import not_applicable, unknown
from flightline.gpu import smi as nvidia_smi
from flightline.gpu.bus import SCRIPT, PciDevice, parse_bus
from flightline.gpu.kernel_log import SCRIPT as KERNEL_LOG
from flightline.gpu.kernel_log import KernelLog, parse_kernel_log
from flightline.gpu.smi import SmiError, SmiReport, parse_smi
from flightline.report.record import NOT_CAPTURED

__all__ = [
    "DERIVED",
    "KERNEL_LOG",
    "PCI_BUS",
    "SMI",
    "bus",
    "derived_bus",
    "gpus_on_bus",
    "kernel_log",
    "report",
    "smi",
    "smi_gpus",
]

PCI_BUS = SCRIPT
"""Answers `bus`."""

DERIVED = "derived"
"""First line of a listing that was made from nvidia-smi's report."""

SMI = nvidia_smi.COMMAND
"""Answers `smi`."""


def bus(host: Host) -> tuple[PciDevice, ...]:
    """Return GPUs, NVSwitches and network cards on the PCI bus; unknown when it cannot be read.

    Also unknown in a capture of nvidia-smi, which has no bus.
    """
    if _is_derived(host):
        unknown(f"the PCI bus {NOT_CAPTURED}")
    return _devices(host)


def gpus_on_bus(host: Host, *, or_listed: bool = False) -> tuple[PciDevice, ...]:
    """Return the NVIDIA GPUs on the PCI bus; ends the check as not applicable without any.

    In a capture of nvidia-smi, which has no bus, the check is unknown; with `or_listed` the GPUs
    are those that nvidia-smi lists, with address and device id only, and there may be none.
    """
    found = tuple(device for device in _devices(host) if device.is_gpu)
    if not _is_derived(host):
        return found or not_applicable(
            "no NVIDIA GPU is on the PCI bus (/sys/bus/pci/devices, vendor 10de)."
        )
    return found if or_listed else bus(host)


def derived_bus(gpus: Iterable[tuple[str, str]]) -> str:
    """Return what PCI_BUS would print of GPUs, given as (address, device id), and no more."""
    lines = [
        f"{address}/{name}:{value}"
        for address, device in gpus
        if re.fullmatch(r"[0-9a-f:.]+", address)
        for name, value in (("vendor", "0x10de"), ("device", device), ("class", "0x030200"))
    ]
    return "\n".join([DERIVED, *lines, "end", ""])


def smi(host: Host) -> SmiReport:
    """Return nvidia-smi's report; unknown when it gives none, with what it said.

    An exit status other than 0 with a whole report is a report: a lost GPU does not hide the rest.
    """
    printed = host.run(SMI)
    try:
        return _parsed_smi(printed.stdout, printed.stderr)
    except SmiError as error:
        said = (printed.stderr.strip() or printed.stdout.strip()).splitlines()
        why = said[0][:300] if printed.exit_status and said else f"its answer is no report: {error}"
        unknown(f"nvidia-smi ended with exit status {printed.exit_status}: {why}")


def report(host: Host) -> SmiReport:
    """Return nvidia-smi's report; not applicable where the bus has no GPU, else as `smi`.

    A bare capture has no answer of the bus: the audit derives one from the report itself.
    """
    gpus_on_bus(host, or_listed=True)
    return smi(host)


def smi_gpus(host: Host) -> tuple[nvidia_smi.SmiGpu, ...]:
    """Return the GPUs of `report`; unknown when it lists none."""
    found = report(host).gpus
    if not found:
        unknown("nvidia-smi lists no GPU, though the PCI bus has one.")
    return found


def kernel_log(host: Host) -> KernelLog:
    """Return what the kernel logged of GPUs and PCI since boot; unknown when it cannot be read."""
    printed = host.run(KERNEL_LOG)
    try:
        return _parsed_log(printed.stdout)
    except ValueError as error:
        unknown(f"{error}.")


def _devices(host: Host) -> tuple[PciDevice, ...]:
    try:
        return _parsed_bus(_listing(host))
    except ValueError as error:
        unknown(f"{error}.")


def _is_derived(host: Host) -> bool:
    return _listing(host).startswith(DERIVED)


def _listing(host: Host) -> str:
    return str(host.run(PCI_BUS).stdout)


@lru_cache(maxsize=16)
def _parsed_bus(text: str) -> tuple[PciDevice, ...]:
    return parse_bus(text)


@lru_cache(maxsize=16)
def _parsed_smi(stdout: str, stderr: str) -> SmiReport:
    """Warnings such as "infoROM is corrupted" go to either stream."""
    return parse_smi(f"{stdout}\n{stderr}" if stderr else stdout)


@lru_cache(maxsize=16)
def _parsed_log(text: str) -> KernelLog:
    return parse_kernel_log(text)
