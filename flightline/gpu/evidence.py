"""What checks ask a GPU machine: each question is one command, shared by all checks of a node."""

from __future__ import annotations

from functools import lru_cache

from testinfra.host import Host

from flightline.audit.check import not_applicable, unknown
from flightline.gpu.bus import SCRIPT, PciDevice, parse_bus

PCI_BUS = SCRIPT
"""Answers `bus`."""


def bus(host: Host) -> tuple[PciDevice, ...]:
    """Return GPUs, NVSwitches and network cards on the PCI bus; unknown when it cannot be read."""
    printed = host.run(PCI_BUS)
    try:
        return _parsed_bus(printed.stdout)
    except ValueError as error:
        unknown(f"{error}.")


def gpus_on_bus(host: Host) -> tuple[PciDevice, ...]:
    """Return the NVIDIA GPUs on the PCI bus; ends the check as not applicable without any."""
    found = tuple(device for device in bus(host) if device.is_gpu)
    if not found:
        not_applicable("no NVIDIA GPU is on the PCI bus (/sys/bus/pci/devices, vendor 10de).")
    return found


@lru_cache(maxsize=16)
def _parsed_bus(text: str) -> tuple[PciDevice, ...]:
    return parse_bus(text)
