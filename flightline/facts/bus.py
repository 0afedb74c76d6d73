"""GPUs, NVSwitches and network cards on a node's PCI bus; remembered, asked with one command."""

from __future__ import annotations

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

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
