"""What a node's driver is to be, from its PCI bus, its system and the settings: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flightline import catalog
from flightline.catalog.model import Flavour, Gpu
from flightline.errors import NodeRefused
from flightline.facts.node import NodeFacts
from flightline.gpu.bus import PciDevice
from flightline.plan import found
from flightline.plan.declared import branch_of
from roles.nvidia import packages
from roles.nvidia.facts import DriverState
from roles.nvidia.packages import PackageSet, Parts
from roles.nvidia.settings import NvidiaSettings

_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "sbsa"}
"""As NVIDIA's repository names them: its server ARM is sbsa."""


@dataclass(frozen=True)
class Machine:
    """What of a node's hardware decides about its driver."""

    gpu: Gpu | None
    """None where an image is made without a GPU."""
    count: int
    needs_fabric_manager: bool
    needs_subnet_manager: bool
    """Its NVSwitches are managed over InfiniBand (fifth generation of NVLink, facts 2026-11-20)."""

    @property
    def has_gpus(self) -> bool:
        """Whether there is a GPU for the driver to drive."""
        return self.count > 0


@dataclass(frozen=True)
class Choice:
    """The driver of one node."""

    machine: Machine
    source: str
    branch: int
    flavour: Flavour
    version: str
    """Exact version that must be there; empty for any of the branch."""
    packages: PackageSet | None
    """None with NVIDIA's installer."""

    @property
    def builds_modules(self) -> bool:
        """Whether modules are built on the node, and so are not signed by the distribution."""
        return self.packages is None or self.packages.builds_modules


def machine(
    devices: Sequence[PciDevice], node: NodeFacts, settings: NvidiaSettings
) -> Machine | None:
    """Return what the driver is for; None where there is nothing to drive and nothing to install.

    Strangers and mixed models give no `gpu`; `refuse_unfit_gpus` has named them before.
    """
    gpus = [each for each in devices if each.is_gpu and not each.is_passed_through]
    if not gpus and settings.install == "when-present":
        return None
    gpu = found.model(devices)
    has_switches = any(device.is_nvswitch for device in devices)
    # From the fifth generation on, switches are no PCI devices of the host; a part of such a
    # machine that is handed to a virtual machine has its fabric managed outside of it.
    is_fifth = gpu is not None and gpu.architecture == "blackwell" and gpu.nvswitch == "all"
    hidden = is_fifth and len(gpus) > 1 and not node.is_virtual
    wanted = settings.fabric_manager
    return Machine(
        gpu=gpu,
        count=len(gpus),
        needs_fabric_manager=wanted == "on" or (wanted == "detect" and (has_switches or hidden)),
        needs_subnet_manager=is_fifth and wanted != "off" and (hidden or wanted == "on"),
    )


def choose(
    target: Machine, node: NodeFacts, settings: NvidiaSettings, state: DriverState
) -> Choice:
    """Return the driver for this machine. Raises NodeRefused, with the fix, where there is none."""
    _refuse_unknown(node, settings)
    kernels = tuple(kernel.version for kernel in state.kernels)
    choice = Choice(
        machine=target,
        source=settings.source,
        branch=_branch(target, node, settings, state),
        flavour=_flavour(target, settings),
        version=settings.version or "",
        packages=None,
    )
    if settings.source == "runfile":
        return choice
    signed = kernels if state.is_secure_boot_on else ()
    return replace(choice, packages=_packages(choice, node, parts(target, settings), signed))


def repository_path(node: NodeFacts) -> str:
    """Return the folder of this system in NVIDIA's repository: "debian12/x86_64"."""
    architecture = _ARCHITECTURES[node.architecture]
    if node.family == "rhel":
        return f"rhel{node.version.split('.')[0]}/{architecture}"
    return f"{node.distribution}{node.version.replace('.', '')}/{architecture}"


def parts(target: Machine, settings: NvidiaSettings) -> Parts:
    """Return what belongs to this machine's driver besides modules and libraries."""
    return Parts(
        persistence=settings.persistence,
        fabric_manager=target.needs_fabric_manager,
        nvlink_subnet_manager=target.needs_subnet_manager,
        imex=bool(settings.imex_nodes),
        dcgm=settings.dcgm and settings.source == "nvidia",
    )


def _flavour(target: Machine, settings: NvidiaSettings) -> Flavour:
    if settings.kernel_modules:
        return settings.kernel_modules
    if target.gpu is None:
        raise NodeRefused(
            'NvidiaSettings.install is "always" and there is no GPU to follow; declare '
            'kernel_modules="open" or "proprietary".'
        )
    return target.gpu.kernel_modules[0]


def _branch(target: Machine, node: NodeFacts, settings: NvidiaSettings, state: DriverState) -> int:
    declared = branch_of(settings)
    own = packages.DEBIAN_BRANCHES.get(node.version) if node.distribution == "debian" else None
    if settings.source == "distribution" and own:
        if declared and declared != own:
            raise NodeRefused(
                f"Debian {node.version} has driver branch {own} only, but {declared} is declared "
                f'(NvidiaSettings.branch); declare branch={own}, or source="nvidia".'
            )
        return own
    return declared or _kept(target, state) or _longest(target)


def _kept(target: Machine, state: DriverState) -> int | None:
    """The installed branch: a newer catalog alone is no reason to replace a driver."""
    installed = state.packaged
    number = int(installed.split(".")[0]) if installed else None
    if number is None or catalog.branch(number) is None:
        return None
    if target.gpu and number < target.gpu.first_branch:
        return None
    return number


def _longest(target: Machine) -> int:
    gpu = target.gpu
    if gpu is None:
        raise NodeRefused(
            'NvidiaSettings.install is "always" and there is no GPU to follow; declare branch.'
        )
    fitting = [
        each
        for each in catalog.branches()
        if each.end_of_life is not None
        and each.number >= gpu.first_branch
        and (gpu.last_branch is None or each.number <= gpu.last_branch)
    ]
    if not fitting:
        raise NodeRefused(f"the catalog has no driver branch for the {gpu.name}; declare branch.")
    return max(fitting, key=lambda each: (each.end_of_life, each.number)).number


def _packages(
    choice: Choice, node: NodeFacts, wanted: Parts, signed_for: tuple[str, ...]
) -> PackageSet:
    branch, flavour = choice.branch, choice.flavour
    if choice.source == "distribution":
        if node.distribution == "debian":
            return packages.debian_own(flavour, wanted)
        return packages.ubuntu_own(branch, flavour, wanted, signed_for)
    known = catalog.branch(branch)
    if known is None:
        raise NodeRefused(f"driver branch {branch} is not in the catalog; declare another.")
    if node.family == "rhel":
        return packages.nvidia_rpm(known, flavour, wanted)
    return packages.nvidia_deb(node, known, flavour, wanted)


def _refuse_unknown(node: NodeFacts, settings: NvidiaSettings) -> None:
    if node.family not in ("debian", "rhel") or node.architecture not in _ARCHITECTURES:
        raise NodeRefused(
            f"{node.distribution} {node.version} on {node.architecture} is not a system this role "
            "knows; expected Debian, Ubuntu or the RHEL family on x86_64 or aarch64."
        )
    if node.family == "rhel" and settings.source == "distribution":
        raise NodeRefused(
            f"{node.distribution} {node.version} has no NVIDIA driver of its own "
            '(NvidiaSettings.source is "distribution"); set source="nvidia" for its group.'
        )
