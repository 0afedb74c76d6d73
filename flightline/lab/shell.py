"""Commands in a node by this computer's own ssh, host keys checked."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.lab import keys

USER = "flightline"
# An emulated node on a computer with more work than cores took over 5 s to greet (2026-11-21).
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Door:
    """Where a node is entered and by which host key it is known."""

    name: str
    port: int
    known_hosts: Path
    serial_log: Path

    def arguments(self, patience: int = PATIENCE_SECONDS) -> list[str]:
        """Return the ssh command up to and including the destination.

        patience: seconds until the node must have answered the connection.
        """
        options = {
            "UserKnownHostsFile": f'"{self.known_hosts}"',
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": str(patience),
            "ServerAliveInterval": "15",
            "LogLevel": "ERROR",
        }
        listed = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return [
            *("ssh", "-F", "/dev/null", "-i", str(keys.access_key()), *listed),
            *("-p", str(self.port), f"{USER}@127.0.0.1"),
        ]


def run(
    door: Door,
    command: str,
    *,
    send: bytes = b"",
    seconds: float = 60,
    patience: int = PATIENCE_SECONDS,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in the node, with bytes on its standard input; return its status and output.

    Raises FlightlineError where it takes longer than seconds.
    """
    try:
        return subprocess.run(
            [*door.arguments(patience), command],
            input=send,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FlightlineError(
            f"{door.name}: no answer within {seconds:.0f} s; its console is in {door.serial_log}."
        ) from None


def wait_until_open(door: Door, seconds: float) -> None:
    """Hold that the node answers over SSH, else raise FlightlineError naming the console log."""
    deadline = time.monotonic() + seconds
    said = ""
    # A booting node accepts and says nothing: ask often at first, then leave a slow one its time.
    patience = 3
    while time.monotonic() < deadline:
        try:
            done = run(door, "true", seconds=3 * patience, patience=patience)
        except FlightlineError:
            continue
        finally:
            patience = min(patience + 1, PATIENCE_SECONDS)
        if done.returncode == 0:
            return
        said = done.stderr.decode(errors="replace").strip()
        time.sleep(0.3)
    raise FlightlineError(
        f"{door.name}: not reached over SSH within {seconds:.0f} s ({said or 'no answer'}); "
        f"its console is in {door.serial_log}."
    )
