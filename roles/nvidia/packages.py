"""Which packages make the driver, by distribution and source: no X, nothing for desktops. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flightline.catalog import DriverBranch
from flightline.catalog.model import Flavour
from flightline.errors import NodeRefused
from flightline.facts.node import NodeFacts

DEBIAN_BRANCHES = {"12": 535, "13": 550}
"""The one branch in each Debian's non-free (apt-cache madison, 2026-11-21)."""

_UNNUMBERED_FROM = 590
"""NVIDIA's Ubuntu packages lose the branch in their names (driver installation guide, recent
updates, read 2026-11-21)."""

_DEBIAN_USER_SPACE = (
    "libcuda1",
    "libnvidia-cfg1",
    "libnvidia-ml1",
    "libnvidia-ptxjitcompiler1",
    "nvidia-smi",
    "firmware-nvidia-gsp",
)


@dataclass(frozen=True)
class Parts:
    """What else belongs to this node's driver."""

    persistence: bool
    fabric_manager: bool
    nvlink_subnet_manager: bool
    """NVSwitches of the fifth NVLink generation, which are managed over InfiniBand."""
    imex: bool
    dcgm: bool


@dataclass(frozen=True)
class PackageSet:
    """The packages of one driver; all are held."""

    modules: tuple[str, ...]
    """Those with the source of the kernel modules, or the signed modules; the first one's version
    is the driver's."""
    locked: tuple[str, ...]
    """The others that must have exactly the driver's version."""
    beside: tuple[str, ...]
    """Those with versions of their own."""
    builds_modules: bool = True
    stream: str = ""
    """Module stream that dnf must have enabled."""

    @property
    def exact(self) -> tuple[str, ...]:
        """All that must have the driver's version."""
        return (*self.modules, *self.locked)

    @property
    def names(self) -> tuple[str, ...]:
        """All of the set."""
        return (*self.exact, *self.beside)


def debian_own(flavour: Flavour, parts: Parts) -> PackageSet:
    """Return the set from Debian's non-free; raises NodeRefused for parts that Debian lacks."""
    if parts.fabric_manager or parts.imex:
        raise NodeRefused(
            "this machine needs NVIDIA's fabric manager or IMEX, which Debian does not have; "
            'declare NvidiaSettings.source="nvidia".'
        )
    module = "nvidia-open-kernel-dkms" if flavour == "open" else "nvidia-kernel-dkms"
    beside = ("nvidia-modprobe", *(("nvidia-persistenced",) if parts.persistence else ()))
    return PackageSet((module,), _DEBIAN_USER_SPACE, beside)


def ubuntu_own(
    branch: int, flavour: Flavour, parts: Parts, signed_for: tuple[str, ...]
) -> PackageSet:
    """Return the set from Ubuntu's archive, its server variant.

    `signed_for` names kernels: then the modules are Canonical's, built and signed for each of
    them, and nothing is built on the node.
    """
    tail = "-server-open" if flavour == "open" else "-server"
    if parts.imex:
        raise NodeRefused(
            "this machine needs NVIDIA's IMEX, which Ubuntu's archive does not have; "
            'declare NvidiaSettings.source="nvidia".'
        )
    modules: tuple[str, ...] = (
        f"nvidia-dkms-{branch}{tail}",
        f"nvidia-kernel-source-{branch}{tail}",
    )
    if signed_for:
        modules = tuple(f"linux-modules-nvidia-{branch}{tail}-{name}" for name in signed_for)
    user_space = [
        f"libnvidia-compute-{branch}-server",
        f"libnvidia-cfg1-{branch}-server",
        f"nvidia-headless-no-dkms-{branch}{tail}",
        f"nvidia-utils-{branch}-server",
        *([f"nvidia-compute-utils-{branch}-server"] if parts.persistence else []),
        *([f"nvidia-fabricmanager-{branch}"] if parts.fabric_manager else []),
    ]
    if signed_for:  # versioned like the kernel, not like the driver
        return PackageSet(tuple(user_space[:1]), tuple(user_space[1:]), modules, False)
    return PackageSet(modules, tuple(user_space), ())


def nvidia_deb(node: NodeFacts, branch: DriverBranch, flavour: Flavour, parts: Parts) -> PackageSet:
    """Return the compute-only set from NVIDIA's repository for Debian and Ubuntu."""
    number = branch.number
    is_open = flavour == "open"
    locked: tuple[str, ...]
    if node.distribution == "debian":
        modules: tuple[str, ...] = (f"nvidia-kernel-{'open-' if is_open else ''}dkms",)
        locked = ("nvidia-driver-cuda",)
    else:
        mark = "" if number >= _UNNUMBERED_FROM else f"-{number}"
        tail = f"{mark}-open" if is_open else mark
        modules = (f"nvidia-dkms{tail}", f"nvidia-kernel-source{tail}")
        locked = (f"libnvidia-compute{mark}", f"libnvidia-cfg1{mark}", f"nvidia-utils{mark}")
    locked = (*locked, "nvidia-modprobe", *_managed(branch, parts))
    return PackageSet(modules, locked, _data_center(branch, parts))


def nvidia_rpm(branch: DriverBranch, flavour: Flavour, parts: Parts) -> PackageSet:
    """Return the compute-only set from NVIDIA's repository for the RHEL family, version 9."""
    is_open = flavour == "open"
    module = "kmod-nvidia-open-dkms" if is_open else "kmod-nvidia-latest-dkms"
    locked = ("nvidia-driver-cuda", "nvidia-modprobe", *map(_on_rhel, _managed(branch, parts)))
    stream = f"{branch.number}-{'open' if is_open else 'dkms'}"
    return PackageSet((module,), locked, _data_center(branch, parts), stream=stream)


def _managed(branch: DriverBranch, parts: Parts) -> tuple[str, ...]:
    manager = branch.fabric_manager_package
    # IMEX follows the fabric manager in carrying the branch in its name or not.
    imex = f"nvidia-imex-{branch.number}" if manager.endswith(str(branch.number)) else "nvidia-imex"
    return (
        *(("nvidia-persistenced",) if parts.persistence else ()),
        *((manager,) if parts.fabric_manager else ()),
        *((imex,) if parts.imex else ()),
    )


def _on_rhel(name: str) -> str:
    """With the branch in its name, RHEL's fabric manager is spelt otherwise (facts 2026-11-20)."""
    return "nvidia-fabric-manager" if name.startswith("nvidia-fabricmanager-") else name


def _data_center(branch: DriverBranch, parts: Parts) -> tuple[str, ...]:
    # The CUDA major of DCGM's plug-ins must be one that the driver runs.
    cuda = branch.cuda.split(".")[0]
    return (
        *((f"datacenter-gpu-manager-4-cuda{cuda}",) if parts.dcgm else ()),
        *(("nvlsm",) if parts.nvlink_subnet_manager else ()),
    )


_MODULE_PACKAGE = re.compile(
    r"nvidia-(open-)?kernel-dkms|nvidia-kernel-open-dkms|nvidia-dkms(-\d+)?(-server)?(-open)?"
    r"|kmod-nvidia-(open|latest)-dkms"
)
_OF_A_DRIVER = re.compile(
    r"(nvidia-(dkms|kernel|headless|utils|compute-utils|driver|smi|fabricmanager|fabric-manager"
    r"|imex|open-kernel)|libnvidia-(compute|cfg1|ml1|common|ptxjit|nscq)|libcuda1|cuda-drivers"
    r"|linux-modules-nvidia|kmod-nvidia|firmware-nvidia-gsp)(-|\d|$)"
)
_UPSTREAM = re.compile(r"(?:\d+:)?(\d{3}\.\d{2,3}(?:\.\d{2})?)(?:[-+~]|$)")


def is_module_package(name: str) -> bool:
    """Tell whether a package brings kernel modules that are built on the node."""
    return _MODULE_PACKAGE.fullmatch(name) is not None


def is_of_a_driver(name: str) -> bool:
    """Tell whether a package belongs to some driver, ours or another."""
    return _OF_A_DRIVER.match(name) is not None


def upstream(version: str) -> str:
    """Return the driver version in a package's: "535.309.01" of "535.309.01-0+deb12u1"."""
    found = _UPSTREAM.match(version)
    return found.group(1) if found else ""
