"""ib_write_bw: its commands, and what it prints; pure."""

from __future__ import annotations

import re
import shlex

MESSAGE_BYTES = 65536
"""perftest's default size, at which published figures are (AzNHC, OCI: read 2026-11-20)."""

SECONDS = 5
"""Duration of one measurement; perftest leaves the first and last quarter out."""

PORT = 18515
"""perftest's own default TCP port, on which the two ends exchange addresses."""

WAIT_SECONDS = 30
"""How long a client tries to reach a server that is still starting."""

SOFTWARE_RATE = 2.5
"""Gb/s that Soft-RoCE reports (1X SDR), whatever the card below it: no figure to judge by."""


def server(device: str, port: int = PORT) -> str:
    """Return the command that waits for one client, and ends by itself when none comes."""
    return f"timeout {WAIT_SECONDS + 30} ib_write_bw {_options(device, port)}"


def client(device: str, address: str, port: int = PORT) -> str:
    """Return the command that measures to the server, in Gb/s, trying until it listens."""
    run = f"timeout 60 ib_write_bw {_options(device, port)} {shlex.quote(address)}"
    return (
        f"tries=0; until said=$({run} 2>&1); do tries=$((tries + 1)); "
        f'[ "$tries" -lt {WAIT_SECONDS // 3} ] || {{ printf "%s\\n" "$said" >&2; exit 1; }}; '
        'sleep 3; done; printf "%s\\n" "$said"'
    )


def _options(device: str, port: int) -> str:
    return f"-d {shlex.quote(device)} -p {port} -s {MESSAGE_BYTES} -D {SECONDS} -F --report_gbits"


def average_gbps(text: str) -> float | None:
    """Return the average bandwidth, Gb/s; None when there is no line of results.

    Real line (perftest 4.5, Soft-RoCE, `--report_gbits -D`): ` 65536      1200      0.00
    0.078   0.000149`: bytes, iterations, peak, average, message rate.
    """
    found = re.search(
        rf"^\s*{MESSAGE_BYTES}\s+\d+\s+[\d.]+\s+([\d.]+)\s+[\d.]+\s*$", text, re.MULTILINE
    )
    return float(found.group(1)) if found else None
