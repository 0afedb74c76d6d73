"""GPUs, NVSwitches and network cards on a node's PCI bus; remembered, asked with one command."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from flightline.errors import NodeRefused
from flightline.gpu.bus import SCRIPT, PciDevice, parse_bus


class PciBus(FactBase[tuple[PciDevice, ...] | None]):
    """The devices; None when the node could not be asked."""

    def command(self) -> str:
        """Return the one script."""
        return f"(\n{SCRIPT}\n)"

    def process(self, output: list[str]) -> tuple[PciDevice, ...]:
        """Return the records; raises FactProcessError when the output is cut short."""
        try:
            return parse_bus("\n".join(output))
        except ValueError as error:
            raise FactProcessError(str(error)) from error


_KNOWN: WeakKeyDictionary[Any, tuple[PciDevice, ...]] = WeakKeyDictionary()


def bus_of(host: Any) -> tuple[PciDevice, ...]:
    """Return what is on a pyinfra host's bus; asks it once, with one command, for a whole run.

    What is plugged in does not change in a run; which driver is bound may: ask `PciBus` for that.
    Raises NodeRefused when the node does not answer.
    """
    if host not in _KNOWN:
        devices = host.get_fact(PciBus)
        if devices is None:
            raise NodeRefused(f"{host.name} did not list its PCI devices; see its error above.")
        _KNOWN[host] = devices
    return _KNOWN[host]
