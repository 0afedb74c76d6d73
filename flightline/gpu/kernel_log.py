"""What the kernel logged of GPUs, NVSwitches, PCI Express and network cards since boot."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_OF_INTEREST = "NVRM|nvidia-nvswitch|AER|PCIe Bus Error|PCIe bandwidth|fallen off the bus|mlx5_"

MOST_LINES = 5000
"""A flood of errors is cut off behind its beginning, which has the cause."""

# The journal keeps what the ring buffer loses; where it has nothing of this boot, the ring buffer.
SCRIPT = f"""\
export LC_ALL=C
lines() {{ sed -nE -e '/{_OF_INTEREST}/p' -e '1s/^/since: /p'; }}
found=$(journalctl -k -b -q -o short-monotonic --no-pager 2>/dev/null | lines)
[ -n "$found" ] || found=$(dmesg 2>/dev/null | lines)
printf '%s\\n' "$found" | head -n {MOST_LINES}
echo end"""
"""Prints the log's first line, then its lines about GPUs and PCI, then `end`."""

BOOT_SECONDS = 5.0
"""A log whose first line is older than this begins at boot: a kernel logs from 0.0 on."""

_TIME = re.compile(r"\[ *([0-9]+\.[0-9]+)\] ?")
_DATE = re.compile(r"\[[A-Z][a-z]{2} [^\]]{8,30}\] ?|[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} \S+ ")
_PCI = r"(?:PCI:)?([0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-9a-fA-F])?)"
# "NVRM: The NVIDIA GPU 0000:b3:00.0\n    NVRM: ... has\n    NVRM: fallen off the bus": one message
_CONTINUED = re.compile(r"\n[ \t]+(?=NVRM)")
_PLACE = re.compile(_PCI)
_XID = re.compile(
    rf"NVRM: (?:GPU at )?Xid \({_PCI}\): ([0-9]{{1,6}})"
    r"(?:, pid='?(?P<pid>[^',]*)'?)?(?:, name=(?P<name>[^,]+))?,? ?(?P<rest>.*)"
)
_SXID = re.compile(rf"nvidia-nvswitch[0-9]*: SXid \({_PCI}\): ([0-9]{{1,6}}),? ?(?P<rest>.*)")
# NVLink5 on Blackwell: "..., NETIR_LINK_EVT Nonfatal XC0 i0 Link -1 (0x004505c6 0x00000000 ...)"
_FATAL = re.compile(r"\b(Fatal|Nonfatal|Non-fatal)\b", re.IGNORECASE)
_LINK = re.compile(r"\bLink (-?[0-9]+)")
_OTHERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("off-the-bus", re.compile(r"fallen off the bus|GPU lost from the bus|GPU_IS_LOST")),
    ("bandwidth", re.compile(rf"{_PCI}: .*limited by .*PCIe (?:x[0-9]+ )?(?:link|bandwidth)")),
    (
        "driver",
        re.compile(
            r"NVRM: .*(?:RmInitAdapter failed|API mismatch|probe routine failed|PCI I/O region)"
        ),
    ),
    ("aer", re.compile(rf"{_PCI}: .*(?:AER: |PCIe Bus Error)")),
    ("network", re.compile(rf"mlx5_(?:core|ib) {_PCI}")),
)


class Kind(enum.StrEnum):
    """What a line of the log is about."""

    XID = "xid"
    """An error that the GPU's driver reports."""
    SXID = "sxid"
    """An error that the NVSwitch's driver reports."""
    OFF_THE_BUS = "off-the-bus"
    DRIVER = "driver"
    """The NVIDIA driver could not start a GPU, or does not match its libraries."""
    AER = "aer"
    """A PCI Express error, corrected or not."""
    BANDWIDTH = "bandwidth"
    """A device whose link is narrower or slower than it could be."""
    NETWORK = "network"
    """Any line of a Mellanox card's driver."""


@dataclass(frozen=True)
class KernelEvent:
    """One line of the log."""

    kind: Kind
    address: str
    """PCI address, "0000:9b:00.0"; empty where the line has none."""
    code: int | None
    """Xid or SXid number."""
    seconds: float | None
    """Since boot; None where the log has another clock."""
    process: str
    """"python3 (2024380)", as far as the line says it; empty for none."""
    link: int | None
    """NVLink's number where the line has one; -1 is "no link of its own"."""
    is_fatal: bool | None
    """What the line itself says, "Fatal" or "Nonfatal"; None where it does not."""
    text: str
    """The line without its time."""


@dataclass(frozen=True)
class KernelLog:
    """What the log has of GPUs and PCI, in its order."""

    since_seconds: float | None
    """Since boot: when the log begins; None where its clock is another."""
    events: tuple[KernelEvent, ...]

    @property
    def is_from_boot(self) -> bool:
        """Whether nothing between boot and the log's first line is lost."""
        return self.since_seconds is not None and self.since_seconds <= BOOT_SECONDS

    def of(self, *kinds: Kind) -> tuple[KernelEvent, ...]:
        """Return the events of these kinds."""
        return tuple(each for each in self.events if each.kind in kinds)


def parse_kernel_log(text: str) -> KernelLog:
    """Return what SCRIPT printed, or the events of `dmesg` or `journalctl -o json` output.

    Real lines (2025-02-23): `[Sun Feb 23 16:24:18 2025] NVRM: Xid (PCI:0000:9b:00): 119,
    pid=2024380, name=nvidia-smi, Timeout after 6s of waiting for RPC response from GPU4 GSP!`.
    Raises ValueError for a log of SCRIPT that is empty or cut short.
    """
    lines = _CONTINUED.sub(" ", text).splitlines()
    since = next((line for line in lines if line.startswith("since: ")), "")
    if since and lines[-1] != "end":
        raise ValueError("the kernel log is cut short")
    if not text.removesuffix("end\n").strip():
        raise ValueError("the kernel log is empty or cannot be read")
    first = since.removeprefix("since: ") or lines[0]
    return KernelLog(_split(first)[0], tuple(_events([each for each in lines if each != since])))


def _events(lines: list[str]) -> Iterator[KernelEvent]:
    for line in lines:
        seconds, said = _split(line)
        event = _event(seconds, said)
        if event is not None:
            yield event


def _split(line: str) -> tuple[float | None, str]:
    """Return the seconds since boot, where the line has them, and what it says."""
    if line.startswith("{"):
        return _from_journal(line)
    found = _TIME.match(line)
    if found:
        return float(found[1]), _unprefixed(line[found.end() :])
    return None, _unprefixed(_DATE.sub("", line, count=1))


def _unprefixed(said: str) -> str:
    """Drop journalctl's "hostname kernel: "."""
    return re.sub(r"^(?:\S+ )?kernel: ", "", said).strip()


def _from_journal(line: str) -> tuple[float | None, str]:
    try:
        record = json.loads(line)
        said = record["MESSAGE"]
        clock = record.get("_SOURCE_MONOTONIC_TIMESTAMP") or record.get("__MONOTONIC_TIMESTAMP")
        if isinstance(said, list):  # journald's form of text that is not UTF-8
            said = bytes(said).decode("utf-8", errors="replace")
        return (int(clock) / 1e6 if clock else None), str(said)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, ""


def _event(seconds: float | None, said: str) -> KernelEvent | None:
    for kind, pattern in ((Kind.XID, _XID), (Kind.SXID, _SXID)):
        if found := pattern.search(said):
            return _error(kind, found, seconds, said)
    for name, pattern in _OTHERS:
        if found := pattern.search(said):
            place = _PLACE.search(said)
            where = _address(place[1]) if place else ""
            return KernelEvent(Kind(name), where, None, seconds, "", None, None, said)
    return None


def _error(kind: Kind, found: re.Match[str], seconds: float | None, said: str) -> KernelEvent:
    named = found.groupdict()
    fatal, link = _FATAL.search(named["rest"]), _LINK.search(named["rest"])
    return KernelEvent(
        kind=kind,
        address=_address(found[1]),
        code=int(found[2]),
        seconds=seconds,
        process=_process(named.get("pid"), named.get("name")),
        link=int(link[1]) if link else None,
        is_fatal=fatal[1].lower() == "fatal" if fatal else None,
        text=said,
    )


def _process(pid: str | None, name: str | None) -> str:
    known = [each for each in (name, pid) if each and "unknown" not in each]
    return f"{known[0]} ({known[1]})" if len(known) == 2 else "".join(known)


def _address(text: str) -> str:
    if not text:
        return ""
    domain, bus, device = text.lower().split(":")
    slot, _, function = device.partition(".")
    return f"{int(domain, 16):04x}:{bus}:{slot}.{function or '0'}"
