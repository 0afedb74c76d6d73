"""What must hold of RDMA devices; ports, PCIe, and the node's own part by topic beside."""

from __future__ import annotations

import re

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, not_applicable
from flightline.gpu.rdma import RdmaDevice
from roles.fabric import (
    acceptance_checks,
    error_checks,
    evidence,
    nccl_checks,
    node_checks,
    pcie_checks,
    port_checks,
    wanted,
)
from roles.fabric.settings import FabricSettings

__all__ = [
    "acceptance_checks",
    "error_checks",
    "nccl_checks",
    "node_checks",
    "pcie_checks",
    "port_checks",
]

APPLY = "run `flightline apply --role fabric`"


@check(
    "fabric-devices-present",
    "the node shows as many compute ports as it has",
    severity=CRITICAL,
    remedy="look for mlx5 in `journalctl -k`, reseat the card; see docs/runbooks/fabric.md",
    depends=("fabric-links-soft", "fabric-ports-layer"),
)
def devices_present(host: Host, settings: FabricSettings) -> None:
    found = evidence.report(host, settings)
    served = {device.pci_address for device in found.devices}
    idle = [card for card in found.infiniband_cards if card not in served]
    assert not idle, f"the InfiniBand card {', '.join(idle)} has no RDMA device, expected one"
    count = len(wanted.compute_ports(settings, found))
    least = settings.ports_expected
    assert count >= 1 if least is None else count == least, (
        f"{count} compute ports are there, expected {least or 'at least 1'} "
        "(FabricSettings.ports_expected)"
    )


@check(
    "fabric-links-soft",
    "every declared interface has its software RoCE device",
    severity=ERROR,
    remedy=APPLY,
    depends=("fabric-modules-loaded",),
)
def links_soft(host: Host, settings: FabricSettings) -> None:
    found = evidence.report(host, settings)
    names = {device.name for device in found.devices if device.is_software}
    ours = {name for name in names if name.startswith(wanted.SOFT_PREFIX)}
    declared = {wanted.soft_device(name) for name in settings.soft_roce_interfaces}
    if not (ours or declared):
        not_applicable("FabricSettings.soft_roce_interfaces is empty, and there is no such device")
    assert ours == declared, (
        f"software RoCE devices are {', '.join(sorted(ours)) or 'none'}, expected "
        f"{', '.join(sorted(declared)) or 'none'} (FabricSettings.soft_roce_interfaces)"
    )


@check(
    "fabric-names-kernel",
    "devices have the kernel's names, which NCCL's and the site's files use",
    severity=ERROR,
    remedy=f"{APPLY}, then reboot: names are given when a device appears",
)
def names_kernel(host: Host, settings: FabricSettings) -> None:
    devices = _hardware(host, settings)
    if settings.device_names != "kernel":
        not_applicable('FabricSettings.device_names is "distribution"')
    # rdma-core's rdma_rename(8): ib, roce, iw, opa or rdma, then p<bus>s<slot>, o<n> or x<guid>.
    renamed = re.compile(r"(ib|roce|iw|opa|rdma)(p\d+s\d+|o\d+|x[0-9a-f]{12,})")
    odd = [device.name for device in devices if renamed.match(device.name)]
    assert not odd, (
        f"{', '.join(odd)} was renamed by PCI address or GUID, expected the kernel's name, such as "
        "mlx5_0 (FabricSettings.device_names)"
    )


@check(
    "fabric-verbs-usable",
    "a program opens every RDMA device through libibverbs",
    severity=CRITICAL,
    remedy="`ibv_devinfo` names the missing driver; reinstall ibverbs-providers",
    depends=("fabric-packages-installed", "fabric-characters-open", "fabric-names-kernel"),
)
def verbs_usable(host: Host, settings: FabricSettings) -> None:
    found = evidence.report(host, settings)
    opened = evidence.verbs(host)
    if not found.devices:
        not_applicable("no RDMA device is there; fabric-devices-present judges that")
    lacking = [port.name for port in found.ports if port.name not in opened]
    assert not lacking, (
        f"ibv_devinfo does not open {', '.join(lacking)}, expected every port in "
        "/sys/class/infiniband"
    )


@check(
    "fabric-characters-open",
    "every user may open the RDMA devices, as containers and engines do",
    severity=ERROR,
    remedy="`udevadm trigger --subsystem-match=infiniband_verbs`; look for another udev rule",
    depends=("fabric-modules-loaded",),
)
def characters_open(host: Host, settings: FabricSettings) -> None:
    found = evidence.report(host, settings)
    if not found.devices:
        not_applicable("no RDMA device is there; fabric-devices-present judges that")
    names = ["rdma_cm", *(device.verbs or f"uverbs of {device.name}" for device in found.devices)]
    wrong = {name: found.characters.get(name, "missing") for name in names}
    # 666 is rdma-core's own choice: access control is by memory keys, not by the device node.
    told = [f"{name} ({mode})" for name, mode in wrong.items() if mode != "666"]
    assert not told, f"/dev/infiniband has {', '.join(told)}, expected mode 666"
    unmanaged = [
        device.name
        for device in found.devices
        if not device.management and any(port.is_infiniband for port in device.ports)
    ]
    assert not unmanaged, (
        f"{', '.join(unmanaged)} has no umad device, expected one: subnet tools and NVIDIA's "
        "fabric manager on NVLink 5 work through it"
    )


@check(
    "fabric-firmware-uniform",
    "equal boards run equal firmware",
    severity=ERROR,
    remedy="update the odd one with the site's firmware tool, then power-cycle the node",
)
def firmware_uniform(host: Host, settings: FabricSettings) -> None:
    boards: dict[str, dict[str, list[str]]] = {}
    for device in _hardware(host, settings):
        boards.setdefault(device.board, {}).setdefault(device.firmware, []).append(device.name)
    for board, versions in boards.items():
        told = "; ".join(f"{', '.join(names)}: {version}" for version, names in versions.items())
        assert len(versions) == 1, f"boards {board} run {told}, expected one version"


@check(
    "fabric-firmware-floor",
    "firmware is no older than declared",
    severity=ERROR,
    remedy="update it with the site's firmware tool, then power-cycle the node",
    depends=("fabric-firmware-uniform",),
)
def firmware_floor(host: Host, settings: FabricSettings) -> None:
    devices = _hardware(host, settings)
    if not settings.firmware_min:
        not_applicable("FabricSettings.firmware_min is empty")
    old = [
        f"{device.name} ({device.board}) runs {device.firmware}, expected at least {least}"
        for device in devices
        if (least := settings.firmware_min.get(device.board))
        and _numbers(device.firmware) < _numbers(least)
    ]
    assert not old, f"{'; '.join(old)} (FabricSettings.firmware_min)"


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _hardware(host: Host, settings: FabricSettings) -> tuple[RdmaDevice, ...]:
    found = wanted.compute_devices(settings, evidence.report(host, settings))
    if not found:
        not_applicable("no RDMA device with hardware of its own: /sys/class/infiniband has none")
    return found
