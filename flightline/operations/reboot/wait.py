"""Waiting for a node that went down: fresh connections, each bounded, until its boot id differs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gevent
from paramiko import SSHException
from pyinfra import logger
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import PyinfraError
from pyinfra.connectors.util import clear_askpass_cache

from flightline.operations.reboot.need import RECORD, Need, RebootNeed, parse_need
from flightline.reboot import RebootProbe

TRY_SECONDS = 45
"""Bound of one try to connect; paramiko waits 15 s each for the banner and for authentication."""
PAUSE_SECONDS = 2
TOLD_EVERY_SECONDS = 30
SETTLE_SECONDS = 300
"""How long a node that answers may still be starting its units before the run goes on anyway."""

LOST = (PyinfraError, SSHException, OSError, EOFError, gevent.Timeout)
"""What a connection to a node that goes down may raise."""


@dataclass(frozen=True)
class Away:
    """A host without pyinfra's facts: a fact that fails would fail the host while it is down."""

    host: Any
    arguments: dict[str, Any]

    def ask(self, command: str, seconds: float = TRY_SECONDS) -> list[str] | None:
        """Return the command's output, or None when there was no answer in time."""
        try:
            with gevent.Timeout(seconds):
                done, output = self.host.connector.run_shell_command(
                    StringCommand(command), **self.arguments
                )
        except LOST:
            return None
        return output.stdout_lines if done else None

    def connect(self) -> bool:
        """Make a fresh connection; the old one is dropped whatever its state."""
        try:
            with gevent.Timeout(TRY_SECONDS):
                clear_askpass_cache(self.host)
                self.host.connector.disconnect()
                self.host.connector.connect()
        except LOST:
            return False
        return True

    def boot_id(self) -> str:
        """Return the boot id over a fresh connection; empty while there is no answer."""
        lines = self.ask("cat /proc/sys/kernel/random/boot_id") if self.connect() else None
        return lines[0].strip() if lines else ""

    def tell(self, text: str) -> None:
        """Say how it goes, beside the node's name."""
        logger.info(f"{self.host.print_prefix}{text}")


def wait_for_boot(node: Away, before: str, timeout_seconds: int) -> str | None:
    """Return None once the node answers on another boot than `before`, else one sentence."""
    started = told = time.monotonic()
    seen = ""
    while (now := time.monotonic()) - started < timeout_seconds:
        gevent.sleep(PAUSE_SECONDS)
        seen = node.boot_id()
        if seen and seen != before:
            return None
        if now - told >= TOLD_EVERY_SECONDS:
            told = now
            node.tell(f"{'going down' if seen else 'down'} since {now - started:.0f} s")
    if seen == before:
        return (
            f"was told to reboot, but is still on boot {before} after {timeout_seconds} seconds; "
            "see `systemctl list-jobs` on it."
        )
    return (
        f"did not come back from reboot within {timeout_seconds} seconds "
        f"(RebootSettings.timeout_seconds); its last boot id was {before}; "
        "look at its console (BMC)."
    )


def settle(node: Away, probes: Sequence[RebootProbe], record: str = RECORD) -> str | None:
    """Wait until the units are started, and return None when no probe asks any more.

    Then the record of the reboot is removed. Otherwise returns one sentence.
    """
    need = _need(node, probes, record)
    if need is None:
        return "came back from reboot, but does not answer; look at its network and its sshd."
    if need.due:
        asking = "; ".join(f"{probes[n].reason} (`{probes[n].command}`)" for n in need.due)
        return (
            f"was rebooted and still asks for a reboot: {asking}; "
            "find out what undoes the change, then run again."
        )
    node.ask(f"rm -f {record}")
    return None


def _need(node: Away, probes: Sequence[RebootProbe], record: str) -> Need | None:
    started = f"timeout {SETTLE_SECONDS} systemctl is-system-running --wait >/dev/null 2>&1"
    script = RebootNeed().command([probe.command for probe in probes], record)
    for _ in range(3):  # a network that is still being set up may drop the first connections
        lines = node.ask(f"{started}\n{script}", SETTLE_SECONDS + TRY_SECONDS)
        if lines and "end" in lines:
            return parse_need(lines)
        gevent.sleep(PAUSE_SECONDS)
        node.connect()
    return None
