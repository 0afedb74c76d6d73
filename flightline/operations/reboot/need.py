"""Whether a node needs a reboot, why, and whether it has just had one for the same reason."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from flightline.reboot import RebootProbe

RECORD = "/var/lib/flightline/reboot.json"
"""Written on the node before it goes down, removed when it is back and asks for nothing more."""


@dataclass(frozen=True)
class Intent:
    """A reboot that was begun: why, on which boot, how often in a row, when (UTC, ISO 8601)."""

    reasons: tuple[str, ...]
    probes: tuple[str, ...]
    """`probe_key` of each."""
    boot_id: str
    count: int
    time: str

    def to_json(self) -> str:
        """Return it as one line of ASCII."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Need:
    """What a node says: its boot, the positions of the probes that said yes, an open intent."""

    boot_id: str
    due: tuple[int, ...]
    intent: Intent | None

    def has_rebooted_for(self, probe: RebootProbe) -> bool:
        """Whether the node went down for this probe and is on another boot since."""
        intent = self.intent
        return bool(intent and probe_key(probe) in intent.probes and intent.boot_id != self.boot_id)


def probe_key(probe: RebootProbe) -> str:
    """Return what tells a reason for a reboot from others: changed settings change the command."""
    return hashlib.sha256(f"{probe.reason}\0{probe.command}".encode()).hexdigest()[:16]


class RebootNeed(FactBase[Need | None]):
    """What the node says to `probes`, shell commands; None when it could not be asked."""

    def command(self, probes: Sequence[str], record: str = RECORD) -> str:
        """Return the one script that runs all probes."""
        script = Path(__file__).with_name("need.sh").read_text(encoding="utf-8")
        return f"record={shlex.quote(record)}\n{shlex.join(['set', '--', *probes])}\n{script}"

    def process(self, output: list[str]) -> Need:
        """Return the record; raises FactProcessError when the output cannot be understood."""
        try:
            return parse_need(output)
        except (ValueError, KeyError, TypeError) as error:
            raise FactProcessError(f"the need for a reboot cannot be read: {error}") from error


def parse_need(lines: Sequence[str]) -> Need:
    """Return what the output of need.sh says.

    Real lines: `boot_id 46cd0e11-e91b-4391-a872-fcb4e4c1c9d9`, `due 0`, `record {"reasons": ...}`.
    Raises ValueError when the end is missing, KeyError without a boot id. A record that cannot be
    read counts as none: then the node is rebooted, and a new one is written.
    """
    if "end" not in lines:
        raise ValueError("it is cut short")
    values: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.partition(" ")
        values.setdefault(key, []).append(value)
    return Need(
        boot_id=values["boot_id"][0],
        due=tuple(map(int, values.get("due", []))),
        intent=_intent(values["record"][0]) if "record" in values else None,
    )


def _intent(text: str) -> Intent | None:
    try:
        stored = json.loads(text)
        return Intent(
            tuple(map(str, stored["reasons"])),
            tuple(map(str, stored["probes"])),
            str(stored["boot_id"]),
            int(stored["count"]),
            str(stored["time"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
