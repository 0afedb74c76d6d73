"""Likely answers, used only to find out early which commands a check is going to ask.

testinfra first asks what system it is on, where a program lies, and so on, and only then what the
check wants to know. Running a check ahead on likely answers brings the real question into the
first round trip. No verdict ever rests on a guess: a check is judged on the node's answers alone.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flightline.audit.answers import Answer, from_record, to_record
from flightline.errors import FlightlineError
from flightline.files import write_atomically

LARGEST_BYTES = 16 * 1024
"""Longer lead-in answers are not kept: detection prints a line or two."""

MOST_COMMANDS = 500
"""Bound of the cache; 50 checks ask about 20 lead-ins (counted on Debian 12, 2026-11-21)."""

# What testinfra 10.2.2 asks before it can answer (modules/systeminfo.py, service.py, host.py)
_OS_RELEASE = b'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
_DETECTION = {
    "uname -s": b"Linux\n",
    "uname -m": b"x86_64\n",
    "cat /etc/os-release": _OS_RELEASE,
    "command -v command": b"command\n",
    "test -d /run/systemd/system/": b"",
}
# A sound node says yes to these, and nothing that it says could end up in another command
_YES = re.compile(r"test -[a-zA-Z] \S+|systemctl is-(active|enabled) \S+")
_WHERE = re.compile(r"command -v ([a-z0-9_.-]+)")
_SBIN = frozenset({"sysctl", "service", "iptables", "ip6tables", "ethtool", "lsmod", "modprobe"})


def detection(command: str) -> Answer | None:
    """Return the likely answer to a command by which testinfra finds its way, or None."""
    if command in _DETECTION:
        return Answer(command, 0, _DETECTION[command])
    if _YES.fullmatch(command):
        return Answer(command, 0)
    if found := _WHERE.fullmatch(command):
        program = found.group(1)
        folder = "/usr/sbin" if program in _SBIN else "/usr/bin"
        return Answer(command, 0, f"{folder}/{program}\n".encode())
    return None


class Guesses:
    """Detection, and the lead-ins of earlier audits: answers that made a check ask more.

    The cache holds guesses, not evidence: losing or spoiling it costs a round trip, no more. The
    commands that are asked always come from the checks of this run.
    """

    def __init__(self, earlier: Mapping[str, Answer] | None = None) -> None:
        self._earlier = dict(earlier or {})

    def __call__(self, command: str) -> Answer | None:
        """Return a likely answer to the command, or None."""
        return self._earlier.get(command) or detection(command)


def cache_path() -> Path:
    """Return where the lead-ins are kept: under the XDG cache directory."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "flightline" / "audit-lead-ins.json"


def load() -> Guesses:
    """Return the guesses of earlier audits; a missing or spoiled cache gives the built-in ones."""
    return Guesses(_cached())


def save(lead_ins: Iterable[Answer]) -> None:
    """Add this audit's lead-ins for the next one; a cache that cannot be written is no loss."""
    latest = {each.command: each for each in lead_ins if len(each.stdout) <= LARGEST_BYTES}
    known = {**latest, **{key: value for key, value in _cached().items() if key not in latest}}
    records = [to_record(answer) for answer in list(known.values())[:MOST_COMMANDS]]
    try:
        write_atomically(cache_path(), json.dumps(records), mode=0o600)
    except OSError:
        return


def _cached() -> dict[str, Answer]:
    try:
        records: list[Any] = json.loads(cache_path().read_text(encoding="utf-8"))
        return {answer.command: answer for answer in map(from_record, records)}
    except (OSError, ValueError, TypeError, FlightlineError):
        return {}
