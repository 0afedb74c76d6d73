"""Nodes, buses and drivers in place, to be varied by each test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flightline.facts.node import NodeFacts
from flightline.gpu.bus import PciDevice
from roles.nvidia.choice import Choice, choose, machine
from roles.nvidia.facts import DriverState, parse_driver
from roles.nvidia.settings import NvidiaSettings
from roles.nvidia.work import Work, work
from tests.unit.roles.containers import conftest

H100, H200, V100, B200, GB200, L40S = "2330", "2335", "1db5", "2901", "2941", "26b9"

DEBIAN_12 = conftest.DEBIAN_12
DEBIAN_13 = replace(DEBIAN_12, version="13", codename="trixie")
UBUNTU = replace(DEBIAN_12, distribution="ubuntu", version="24.04", codename="noble")
ROCKY = replace(DEBIAN_12, distribution="rocky", version="9.6", codename="", family="rhel")

KERNEL = "6.1.0-56-amd64"
BARE = f"""\
kernel={KERNEL}|no||
package=ii  linux-image-{KERNEL} 6.1.192-2
package=ii  linux-image-amd64 6.1.192-2
source=/etc/apt/sources.list.d/debian.sources|Types: deb
source=/etc/apt/sources.list.d/debian.sources|URIs: http://mirror.example.org/debian
source=/etc/apt/sources.list.d/debian.sources|Suites: bookworm bookworm-updates
source=/etc/apt/sources.list.d/debian.sources|Components: main
source=/etc/apt/sources.list.d/debian.sources|Signed-By: /usr/share/keyrings/debian.gpg
end=yes
"""
"""driver.sh on a Debian 12 node without a driver (2026-11-21)."""

ON_DEBIAN = (
    "nvidia-kernel-dkms 535.309.01-0+deb12u1",
    "libcuda1 535.309.01-0+deb12u1",
    "libnvidia-cfg1 535.309.01-0+deb12u1",
    "libnvidia-ml1 535.309.01-0+deb12u1",
    "libnvidia-ptxjitcompiler1 535.309.01-0+deb12u1",
    "nvidia-smi 535.309.01-0+deb12u1",
    "firmware-nvidia-gsp 535.309.01-0+deb12u1",
    "nvidia-modprobe 535.309.01-0+deb12u1",
    "nvidia-persistenced 535.171.04-1~deb12u1",
)
INSTALLED = "".join(
    (
        f"kernel={KERNEL}|yes|535.309.01|NVIDIA\n",
        "loaded=535.309.01\n",
        "loaded_as=NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.309.01  Thu May\n",
        *(f"package=hi  {line}\n" for line in ON_DEBIAN),
        "unit=nvidia-persistenced.service\n",
        "end=yes\n",
    )
)
"""The same after Debian's proprietary driver was installed, on a machine with GPUs."""

OWN = NvidiaSettings(source="distribution", kernel_modules="proprietary")


def device(device_id: str, place: int = 0, **changes: Any) -> PciDevice:
    """One NVIDIA device, a 3D controller unless changed."""
    bare = PciDevice(
        address=f"0000:{place:02x}:00.0",
        vendor="10de",
        device=device_id,
        class_code="030200",
        revision="a1",
        subsystem="",
        driver="nvidia",
        numa_node=0,
        link_speed_gts=32.0,
        link_width=16,
        max_link_speed_gts=32.0,
        max_link_width=16,
        aer_correctable=0,
        aer_nonfatal=0,
        aer_fatal=0,
        local_cpus="0-47",
        parents=(),
    )
    return replace(bare, **changes)


def gpus(device_id: str, count: int = 8) -> tuple[PciDevice, ...]:
    """So many equal GPUs."""
    return tuple(device(device_id, 0x18 + place) for place in range(count))


NVSWITCH = device("22a3", 0x80, class_code="068000")


def state(text: str = INSTALLED, **changes: Any) -> DriverState:
    """The driver that the text describes, changed."""
    return replace(parse_driver(text), **changes)


def chosen(
    settings: NvidiaSettings,
    *,
    devices: tuple[PciDevice, ...] = (),
    node: NodeFacts = DEBIAN_12,
    found: DriverState | None = None,
) -> Choice:
    """What is chosen for a node; it must be one that has something to drive."""
    target = machine(devices, node, settings)
    assert target is not None
    return choose(target, node, settings, found or state(BARE))


def worked(
    settings: NvidiaSettings = OWN, *, device_id: str = H100, found: DriverState | None = None
) -> Work:
    """What is to be done on a Debian 12 node with eight of these GPUs."""
    there = found or state()
    choice = chosen(settings, devices=gpus(device_id), found=there)
    return work(choice, there, settings)
