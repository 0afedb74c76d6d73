"""What must hold between HCAs, GPUs and the PCIe bus; and of lossless RoCE."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable, unknown
from flightline.gpu.evidence import gpus_on_bus
from flightline.gpu.rdma import RdmaDevice
from roles.fabric import evidence, wanted
from roles.fabric.settings import FabricSettings

_SLOT = "reseat the card, try another slot, look at the BIOS's lane bifurcation"
_SETUP = "`systemctl restart flightline-fabric`; see docs/runbooks/fabric.md"
DRIVER = "cat /proc/driver/nvidia/version"


@check(
    "fabric-hca-width",
    "every HCA has all its PCIe lanes",
    severity=ERROR,
    remedy=_SLOT,
)
def hca_width(host: Host, settings: FabricSettings) -> None:
    wrong = [
        f"{each.name} has {each.link.lanes or 0} of {each.link.max_lanes} PCIe lanes"
        for each in _hardware(host, settings)
        if each.link.max_lanes and (each.link.lanes or 0) < each.link.max_lanes
    ]
    assert not wrong, f"{', '.join(wrong)}, expected all"


@check(
    "fabric-hca-speed",
    "every HCA's PCIe link runs as fast as the HCA can",
    severity=WARNING,
    remedy=_SLOT,
)
def hca_speed(host: Host, settings: FabricSettings) -> None:
    wrong = [
        f"{each.name} runs at {each.link.speed_gts or 0:g} of {each.link.max_speed_gts:g} GT/s"
        for each in _hardware(host, settings)
        if each.link.max_speed_gts and (each.link.speed_gts or 0) < each.link.max_speed_gts
    ]
    assert not wrong, f"{', '.join(wrong)}, expected its full speed"


@check(
    "fabric-hca-locality",
    "every NUMA node that has a GPU has an HCA too",
    severity=WARNING,
    remedy="move the card to a slot of that CPU, or declare the right ports",
    depends=("fabric-devices-present",),
)
def hca_locality(host: Host, settings: FabricSettings) -> None:
    devices = _hardware(host, settings)
    gpus = {gpu.numa_node for gpu in gpus_on_bus(host) if gpu.numa_node is not None}
    if not gpus:
        not_applicable("the firmware gives GPUs no NUMA node (numa_node is -1): one node only")
    bare = sorted(gpus - {device.numa_node for device in devices})
    assert not bare, (
        f"NUMA node {', '.join(map(str, bare))} has GPUs and no HCA of FabricSettings.ports, "
        "expected one: their traffic crosses between the CPUs"
    )


@check(
    "fabric-pcie-request",
    "every HCA reads from memory in requests of the declared size",
    severity=WARNING,
    remedy=_SETUP,
    depends=("fabric-setup-ran",),
)
def pcie_request(host: Host, settings: FabricSettings) -> None:
    if settings.max_read_request_bytes is None:
        not_applicable("FabricSettings.max_read_request_bytes is None")
    only = settings.model_copy(update={"relaxed_ordering": None})
    _judge_express(host, only, f"{settings.max_read_request_bytes}", "max_read_request_bytes")


@check(
    "fabric-pcie-ordering",
    "every HCA's PCIe relaxed ordering is as declared",
    severity=WARNING,
    remedy=_SETUP,
    depends=("fabric-setup-ran",),
)
def pcie_ordering(host: Host, settings: FabricSettings) -> None:
    if settings.relaxed_ordering is None:
        not_applicable("FabricSettings.relaxed_ordering is None")
    only = settings.model_copy(update={"max_read_request_bytes": None})
    declared = "it on" if settings.relaxed_ordering else "it off"
    _judge_express(host, only, declared, "relaxed_ordering")


@check(
    "fabric-pcie-acs",
    "no bridge above a GPU or HCA sends peer traffic through the root complex",
    severity=ERROR,
    remedy=_SETUP,
    depends=("fabric-setup-ran",),
)
def pcie_acs(host: Host, settings: FabricSettings) -> None:
    _hardware(host, settings)
    if settings.acs == "keep":
        not_applicable('FabricSettings.acs is "keep"')
    if evidence.is_virtual(host):
        not_applicable("the node is virtual: ACS isolates guests, and is the hypervisor's")
    found = evidence.redirecting_bridges(host)
    assert not found, (
        f"ACS redirects peer traffic at {', '.join(found)}, expected it off (FabricSettings.acs)"
    )


@check(
    "fabric-memory-peer",
    "HCAs reach GPU memory in the declared way",
    severity=CRITICAL,
    remedy="install NVIDIA's open kernel module, or declare peer_memory='peermem'",
    depends=("fabric-modules-loaded",),
)
def memory_peer(host: Host, settings: FabricSettings) -> None:
    _hardware(host, settings)
    gpus_on_bus(host)
    if settings.peer_memory == "off":
        not_applicable('FabricSettings.peer_memory is "off"')
    driver = host.run(DRIVER)
    if driver.rc != 0:
        unknown("NVIDIA's driver is not loaded (/proc/driver/nvidia/version)")
    if settings.peer_memory == "peermem":
        loaded = evidence.report(host, settings).modules
        assert "nvidia_peermem" in loaded, (
            "nvidia_peermem is not loaded, expected it (FabricSettings.peer_memory)"
        )
        return
    # The first line names the flavour: "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64".
    assert "Open Kernel Module" in driver.stdout, (
        "NVIDIA's proprietary kernel module is loaded, expected the open one, which alone exports "
        "GPU memory as DMA-BUF (FabricSettings.peer_memory)"
    )


@check(
    "fabric-pfc-priorities",
    "the declared priorities are lossless on RoCE interfaces",
    severity=ERROR,
    remedy=_SETUP,
    depends=("fabric-setup-ran",),
)
def pfc_priorities(host: Host, settings: FabricSettings) -> None:
    found = evidence.report(host, settings)
    names = wanted.wired_interfaces(settings, found)
    if not (names and settings.roce_pfc_priorities):
        not_applicable("FabricSettings.roce_pfc_priorities is empty, or no wired port runs RoCE")
    live = evidence.lossless(host.run(evidence.LOSSLESS).stdout)
    for name in names:
        if name not in live:
            unknown(f"`dcb pfc show dev {name}` does not say which priorities are lossless")
        assert live[name] == set(settings.roce_pfc_priorities), (
            f"{name} has lossless priorities {sorted(live[name]) or 'none'}, expected "
            f"{sorted(settings.roce_pfc_priorities)} (FabricSettings.roce_pfc_priorities)"
        )


def _judge_express(host: Host, settings: FabricSettings, declared: str, field: str) -> None:
    devices = [each for each in _hardware(host, settings) if each.driver]
    if evidence.is_virtual(host):
        not_applicable("the node is virtual: PCIe settings are the hypervisor's")
    unread = [each.name for each in devices if each.express is None]
    if unread:
        unknown(f"the PCI configuration of {', '.join(unread)} cannot be read")
    wrong = [told for each in devices if (told := wanted.express_problem(settings, each))]
    assert not wrong, f"{', '.join(wrong)}, expected {declared} (FabricSettings.{field})"


def _hardware(host: Host, settings: FabricSettings) -> tuple[RdmaDevice, ...]:
    found = wanted.compute_devices(settings, evidence.report(host, settings))
    if not found:
        not_applicable("no RDMA device with hardware of its own: /sys/class/infiniband has none")
    return found
