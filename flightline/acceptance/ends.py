"""One node in a measurement between two: how it is reached, and one command run on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flightline.errors import FlightlineError
from flightline.gpu.load.commands import GUARD
from flightline.gpu.rdma import RdmaPort
from flightline.transport import run_as_root

RUN_SECONDS = 600
"""How long one end of one measurement may take in all, waiting for the other included."""

NEVER_BUSY = f"if [ -e /dev/nvidiactl ]; then\n{GUARD}fi\n"
"""Goes before each command: a node that serves is not loaded, one without a GPU has no users."""


@dataclass(frozen=True)
class End:
    """One node that takes part."""

    host: Any
    settings: Any
    ports: Mapping[str, RdmaPort] = field(default_factory=dict)
    """Its compute ports, by device."""
    gpus: int = 0
    model: str = ""
    """Catalog id of its GPUs; empty for none or mixed ones."""

    @property
    def name(self) -> str:
        """The node's name in the inventory."""
        return str(self.host.name)

    def address(self, device: str | None = None) -> str:
        """Return where the other end reaches this one: the port's own address if it has one."""
        gids = self.ports[device].gids if device else ()
        own = [gid.ipv4 for gid in gids if gid.ipv4]
        return own[0] if own else str(self.host.data.get("ssh_hostname") or self.host.name)

    def output(self, command: str) -> tuple[str, str]:
        """Run a command as root; return what it printed, and why it failed."""
        try:
            done = run_as_root(self.host, NEVER_BUSY + command, timeout_seconds=RUN_SECONDS)
        except (OSError, EOFError, FlightlineError) as error:
            return "", f"{self.name}: {error or 'no answer in time'}"
        said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        return done.stdout, f"{self.name}: {said}" if done.rc else ""
