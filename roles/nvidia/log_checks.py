"""What the kernel must not have logged since boot: Xids, SXids, links narrowed on their way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from testinfra.host import Host

from flightline import catalog
from flightline.audit.check import CRITICAL, WARNING, check, not_applicable, unknown
from flightline.catalog.model import Xid
from flightline.gpu.bus import PciDevice
from flightline.gpu.evidence import bus, kernel_log
from flightline.gpu.kernel_log import KernelEvent, KernelLog, Kind
from roles.nvidia.evidence import our_gpus
from roles.nvidia.settings import NvidiaSettings

_LOOK_UP = "`flightline catalog show xid CODE` says what it means; do what it asks for"
_OFF_THE_BUS = 79  # judged by nvidia-bus-fallen
_ACTION_CHANGED = 154
_MOST_NAMED = 6

# "GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)" (NVIDIA Xid catalog,
# read 2026-11-20).
_ASKS = re.compile(r"changed from .* to \S+ \((?!None)")

# "63.012 Gb/s available PCIe bandwidth, limited by 16.0 GT/s PCIe x4 link at 0000:17:00.0 (capable
# of 504.112 Gb/s with 32.0 GT/s PCIe x16 link)" (Linux, drivers/pci/pci.c, 6.1)
_LIMITED = re.compile(
    r"limited by ([0-9.]+) GT/s PCIe x([0-9]+) link at (\S+) "
    r"\(capable of .* with ([0-9.]+) GT/s PCIe x([0-9]+) link\)"
)


@check(
    "nvidia-xid-critical",
    "no GPU has had an error since boot that asks for a reset, a reboot or a repair",
    severity=CRITICAL,
    remedy=_LOOK_UP,
)
def xid_critical(host: Host, _nvidia: NvidiaSettings) -> None:
    our_gpus(host)
    log = kernel_log(host)
    bad = [each for each in _xids(log) if _is_critical(each, _meaning(each))]
    assert not bad, f"{_named(bad)} since boot, expected none"
    _whole(log)


@check(
    "nvidia-xid-application",
    "no GPU has had an error since boot that ends an application",
    severity=WARNING,
    remedy=f"{_LOOK_UP}; it is the application's own fault more often than the GPU's",
)
def xid_application(host: Host, _nvidia: NvidiaSettings) -> None:
    our_gpus(host)
    log = kernel_log(host)
    bad = [
        each
        for each in _xids(log)
        if _meaning(each).severity == "warning"
        and not _is_critical(each, _meaning(each))
        # Cured, or judged as critical: no application ends by a change of the action itself.
        and each.code != _ACTION_CHANGED
    ]
    assert not bad, f"{_named(bad)} since boot, expected none"
    _whole(log)


@check(
    "nvidia-sxid-critical",
    "no NVSwitch has had a fatal error since boot",
    severity=CRITICAL,
    remedy="drain, `nvidia-smi --gpu-reset` for all GPUs together; if it comes back, the board",
)
def sxid_critical(host: Host, _nvidia: NvidiaSettings) -> None:
    our_gpus(host)
    log = kernel_log(host)
    found = log.of(Kind.SXID)
    if not found and not any(each.is_nvswitch for each in bus(host)):
        not_applicable("no NVSwitch is on the PCI bus, and none is in the kernel's log")
    bad = [each for each in found if _is_critical(each, catalog.sxid(each.code or 0))]
    assert not bad, f"{_named(bad)} since boot, expected none"
    _whole(log)


@check(
    "nvidia-pcie-bandwidth",
    "no link between a GPU and its root port has fewer lanes or less speed than the GPU's",
    severity=WARNING,
    remedy="look at the port that is named: `lspci -vvs PORT | grep LnkSta`; reseat the riser",
    depends=("nvidia-pcie-width", "nvidia-pcie-slot", "nvidia-bus-width"),
)
def pcie_bandwidth(host: Host, _nvidia: NvidiaSettings) -> None:
    gpus = {each.address: each for each in our_gpus(host)}
    log = kernel_log(host)
    narrow = [
        each.text
        for each in log.of(Kind.BANDWIDTH)
        if each.address in gpus and _is_narrow(each, gpus[each.address])
    ]
    assert not narrow, f"the kernel found at boot: {'; '.join(narrow)}"
    _whole(log)


def _is_narrow(event: KernelEvent, gpu: PciDevice) -> bool:
    """Whether lanes are missing, or speed further up than at the GPU, whose own link may rest."""
    found = _LIMITED.search(event.text)
    if found is None:
        return True
    speed, lanes, port, most_speed, most_lanes = found.groups()
    is_own = gpu.parents[-1:] == (port.lower(),)
    return int(lanes) < int(most_lanes) or (float(speed) < float(most_speed) and not is_own)


def _xids(log: KernelLog) -> tuple[KernelEvent, ...]:
    """All Xids; of 154, which tells what the GPU asks for, the last one of each GPU alone."""
    found = [each for each in log.of(Kind.XID) if each.code != _OFF_THE_BUS]
    last = {each.address: each for each in found if each.code == _ACTION_CHANGED}
    return tuple(
        each for each in found if each.code != _ACTION_CHANGED or last[each.address] is each
    )


def _meaning(event: KernelEvent) -> Xid:
    return catalog.xid(event.code or 0)


def _is_critical(event: KernelEvent, meaning: Xid) -> bool:
    """By the catalog, or by the line itself where the code alone does not tell."""
    asks = event.code == _ACTION_CHANGED and bool(_ASKS.search(event.text))
    return meaning.severity == "critical" or bool(event.is_fatal) or asks


def _named(events: Iterable[KernelEvent]) -> str:
    """ "Xid 48 (Double Bit ECC Error, WORKFLOW_XID_48) on 0000:9b:00.0, 3 times"; up to six."""
    times = Counter((each.kind, each.code or 0, each.address) for each in events)
    said = []
    for (kind, code, address), count in times.most_common(_MOST_NAMED):
        known = catalog.xid(code) if kind is Kind.XID else catalog.sxid(code)
        label = "Xid" if kind is Kind.XID else "SXid"
        meaning = ", ".join(filter(None, (known.description, known.action)))
        more = f", {count} times" if count > 1 else ""
        said.append(f"{label} {code} ({meaning}) on {address}{more}")
    rest = len(times) - len(said)
    return "; ".join(said) + (f"; and {rest} more" if rest > 0 else "")


def _whole(log: KernelLog) -> None:
    """End the check as unknown when the log has lost what came right after boot."""
    if not log.is_from_boot:
        since = "at an unknown time" if log.since_seconds is None else f"{log.since_seconds:.0f} s"
        unknown(
            f"the kernel's log begins {since} after boot: what was logged before is lost; keep the "
            "journal on disk (/var/log/journal), or enlarge it"
        )
