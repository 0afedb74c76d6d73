"""What must hold of the GPUs' place in the machine: on the bus, near a CPU, free of PCIe errors."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from testinfra.host import Host

from flightline import catalog
from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable, unknown
from flightline.gpu.bus import PciDevice
from flightline.gpu.evidence import kernel_log
from flightline.gpu.kernel_log import Kind
from roles.nvidia.evidence import driver, our_gpus
from roles.nvidia.settings import NvidiaSettings

_RESEAT = "reseat the GPU or its riser and look at the server's event log; then return the GPU"
_ALL_ONES = "ffffffff"
_OFF_THE_BUS = 79  # Xid

# PCI Express Base 5.0, 7.7.8.3: source validation, request redirect, completion redirect and
# upstream forwarding send peer traffic through the root complex. NCCL's troubleshooting guide asks
# for these off (read 2026-11-20).
_REDIRECTS = 0x01 | 0x04 | 0x08 | 0x10

# A link under load corrects some errors; a bad one corrects thousands. Its peers tell.
_FEW_CORRECTED = 1000
_TIMES_PEERS = 10


@check(
    "nvidia-bus-fallen",
    "no GPU has fallen off the PCI bus since boot",
    severity=CRITICAL,
    remedy="power the node off and on (a reboot is not always enough), then reseat or return it",
)
def bus_fallen(host: Host, _nvidia: NvidiaSettings) -> None:
    gpus = our_gpus(host)
    now = driver(host).identities
    fallen = [each.address for each in gpus if now.get(each.address) == _ALL_ONES]
    fallen += [each.address for each in gpus if each.is_off_the_bus]
    assert not fallen, f"{', '.join(dict.fromkeys(fallen))} answers with all ones (revision ff)"
    log = kernel_log(host)
    lost = [
        each.text
        for each in log.events
        if each.kind is Kind.OFF_THE_BUS or (each.kind is Kind.XID and each.code == _OFF_THE_BUS)
    ]
    assert not lost, f"the kernel logged since boot: {lost[0]!r}"
    blind = [each.address for each in gpus if not now.get(each.address)]
    if blind:
        unknown(f"the configuration space of {', '.join(blind)} cannot be read")


@check(
    "nvidia-bus-width",
    "every GPU's slot has trained all the lanes that the GPU can use",
    severity=ERROR,
    remedy=_RESEAT,
    depends=("nvidia-pcie-width",),
)
def bus_width(host: Host, _nvidia: NvidiaSettings) -> None:
    gpus = our_gpus(host)
    narrow = [
        f"{each.address} has {each.link_width} lanes, expected {each.max_link_width}"
        for each in gpus
        if each.link_width and each.max_link_width and each.link_width < each.max_link_width
    ]
    assert not narrow, "; ".join(narrow)
    blind = [each.address for each in gpus if not (each.link_width and each.max_link_width)]
    if blind and driver(host).is_virtual:
        not_applicable(f"the hypervisor does not show the links of {', '.join(blind)}")
    if blind:
        unknown(f"the kernel does not tell the lanes of {', '.join(blind)}")


@check(
    "nvidia-pcie-aer",
    "no GPU has had an uncorrected PCIe error since boot",
    severity=ERROR,
    remedy=_RESEAT,
)
def pcie_aer(host: Host, _nvidia: NvidiaSettings) -> None:
    gpus = our_gpus(host)
    bad = [
        f"{each.address} has had {each.aer_fatal or 0} fatal and {each.aer_nonfatal or 0} nonfatal "
        "PCIe errors since boot, expected 0"
        for each in gpus
        if each.aer_fatal or each.aer_nonfatal
    ]
    assert not bad, "; ".join(bad)
    _counted(host, gpus, lambda each: each.aer_fatal)


@check(
    "nvidia-pcie-corrected",
    "no GPU's PCIe link corrects far more errors than its peers'",
    severity=WARNING,
    remedy=_RESEAT,
    depends=("nvidia-pcie-aer", "nvidia-pcie-replays"),
)
def pcie_corrected(host: Host, _nvidia: NvidiaSettings) -> None:
    gpus = our_gpus(host)
    if len(gpus) == 1:
        not_applicable("one GPU has no peers, and a number of corrected errors alone says nothing")
    bad = []
    for each in gpus:
        others = [other.aer_correctable or 0 for other in gpus if other != each]
        most = max(_FEW_CORRECTED, _TIMES_PEERS * median(others))
        if (each.aer_correctable or 0) > most:
            bad.append(
                f"{each.address} has corrected {each.aer_correctable} PCIe errors since boot, its "
                f"peers {median(others):.0f} (median), expected at most {most:.0f}"
            )
    assert not bad, "; ".join(bad)
    _counted(host, gpus, lambda each: each.aer_correctable)


def _counted(
    host: Host, gpus: tuple[PciDevice, ...], count: Callable[[PciDevice], int | None]
) -> None:
    """End the check where the kernel does not count errors of every GPU."""
    blind = [each.address for each in gpus if count(each) is None]
    if blind and driver(host).is_virtual:
        not_applicable(f"the hypervisor does not show PCIe errors of {', '.join(blind)}")
    if blind:
        unknown(f"the kernel counts no PCIe errors of {', '.join(blind)} (aer_dev_* in sysfs)")


@check(
    "nvidia-numa-locality",
    "the kernel knows which NUMA node every GPU is near",
    severity=ERROR,
    remedy="update the server's firmware, or set its NUMA options (NPS, SNC) to what it knows",
)
def numa_locality(host: Host, _nvidia: NvidiaSettings) -> None:
    gpus, found = our_gpus(host), driver(host)
    if found.numa_nodes == 1:
        not_applicable("the node has one NUMA node with CPUs")
    if found.is_virtual:
        not_applicable("the node is virtual: what is near is the hypervisor's to say")
    if not found.numa_nodes:
        unknown("the kernel does not tell its NUMA nodes (/sys/devices/system/node/has_cpu)")
    lost = [each.address for each in gpus if each.numa_node is None]
    assert not lost, (
        f"{', '.join(lost)} has no NUMA node (-1 in sysfs), expected one of {found.numa_nodes}"
    )


@check(
    "nvidia-acs-off",
    "no PCIe switch sends what two of its GPUs exchange through the root complex",
    severity=WARNING,
    remedy="turn ACS off in the firmware setup, or apply the fabric role, which does at each boot",
    depends=("fabric-pcie-acs",),
)
def acs_off(host: Host, _nvidia: NvidiaSettings) -> None:
    bridges = _shared_switches(_peers_over_pcie(our_gpus(host)))
    if not bridges:
        not_applicable("no two GPUs that exchange data over PCIe are below one PCIe switch")
    found = driver(host)
    if found.is_virtual:
        not_applicable("the node is virtual: ACS isolates guests, and is the hypervisor's")
    values = {bridge: found.acs.get(bridge) for bridge in bridges}
    on = [bridge for bridge, value in values.items() if value is not None and value & _REDIRECTS]
    assert not on, f"ACS redirects peer traffic at {', '.join(on)}, expected it off (ACSCtl)"
    if blind := [bridge for bridge, value in values.items() if value is None]:
        unknown(f"the configuration space of {', '.join(blind)} cannot be read")


def _peers_over_pcie(gpus: tuple[PciDevice, ...]) -> tuple[PciDevice, ...]:
    """Those without NVLink, or with NVLink by bridges between cards, which may be absent."""
    models = {each: catalog.gpu_by_device(each.device) for each in gpus}
    return tuple(
        each
        for each, model in models.items()
        if model is None or not model.nvlink_links or model.nvlink_by_bridge
    )


def _shared_switches(gpus: tuple[PciDevice, ...]) -> tuple[str, ...]:
    """The ports below a switch that two GPUs share, down to each of them."""
    found: dict[str, None] = {}
    for one in gpus:
        for other in gpus:
            common = [port for port in one.parents if port in other.parents]
            if one != other and common:
                below = one.parents[one.parents.index(common[-1]) + 1 :]
                found.update(dict.fromkeys(below))
    return tuple(found)
