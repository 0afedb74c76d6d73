"""What is to be done to a driver that is not as declared, and what is refused: pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flightline.errors import NodeRefused
from roles.nvidia.choice import Choice
from roles.nvidia.facts import DriverState
from roles.nvidia.packages import is_of_a_driver, upstream
from roles.nvidia.settings import NvidiaSettings

_MANAGED = (
    *("nvidia-persistenced", "nvidia-fabricmanager", "nvidia-dcgm", "nvidia-imex"),
    "flightline-gpu",
)
"""The services that an upgrade may stop: they are ours, and are started again. The last holds no
GPU, but what it set is gone with the driver: only a stopped one is started, and sets it anew."""

_OURS = ("nvidia-persiste", "nv-fabricmanage", "nv-hostengine", "nvidia-imex", "nvidia-smi")
"""Their programs as /proc/PID/comm shortens them (15 characters, proc(5))."""


@dataclass(frozen=True)
class Work:
    """What is to be done, in this order; nothing when `is_needed` is False."""

    prerequisites: tuple[str, ...]
    """Compiler, headers and DKMS, for the trial build: no part of the driver."""
    install: bool
    replaces: bool
    """A driver in place goes for another one: GPU jobs on the node end."""
    removed: tuple[str, ...]
    """Packages of another driver that cannot stay."""
    built_for: tuple[str, ...]
    """Kernels that the modules must be built for."""
    unheld: tuple[str, ...]
    load: bool

    @property
    def is_needed(self) -> bool:
        """Whether anything is to be done."""
        return self.install or self.load or bool(self.unheld)


def work(choice: Choice, state: DriverState, settings: NvidiaSettings) -> Work:
    """Return what brings the driver to the choice. Raises NodeRefused for what must not be done."""
    wrong = _is_wrong(choice, state)
    # A module from a folder that nobody looks in is in use all the same.
    installed = state.packaged or state.on_disk or state.loaded
    replaces = wrong and bool(installed) and not _is_same_driver(choice, state)
    if replaces:
        _refuse_replacement(choice, state, settings)
    names = choice.packages.names if choice.packages else ()
    held = names if settings.hold_packages else ()
    return Work(
        prerequisites=_prerequisites(choice, state) if wrong else (),
        install=wrong,
        replaces=replaces,
        removed=_removed(choice, state) if wrong else (),
        built_for=tuple(kernel.version for kernel in state.kernels),
        unheld=() if wrong else tuple(name for name in held if name not in state.held),
        load=choice.machine.has_gpus and not wrong and not (state.loaded or state.is_nouveau_bound),
    )


def prefix(choice: Choice, state: DriverState) -> str:
    """Return what the version of the driver's packages must begin with; empty for any."""
    if choice.version:
        return choice.version
    if _is_same_driver(choice, state):
        return state.packaged
    return "" if choice.source == "distribution" else f"{choice.branch}."


def _is_wrong(choice: Choice, state: DriverState) -> bool:
    """Whether packages, versions or built modules are not those of the choice."""
    if choice.packages is None:
        return _modules_lack(choice, state, choice.version)
    versions = {upstream(state.packages.get(name, "")) for name in choice.packages.exact}
    if len(versions) != 1 or not _is_version(choice, versions.pop()):
        return True
    if choice.packages.stream and state.stream != choice.packages.stream:
        return True
    if any(name not in state.packages for name in choice.packages.beside):
        return True
    return _modules_lack(choice, state, upstream(state.packages[choice.packages.exact[0]]))


def _is_version(choice: Choice, version: str) -> bool:
    if choice.version:
        return version == choice.version
    return bool(version) and (
        choice.source == "distribution" or version.startswith(f"{choice.branch}.")
    )


def _modules_lack(choice: Choice, state: DriverState, version: str) -> bool:
    return any(
        kernel.module != version or kernel.flavour != choice.flavour or not kernel.has_headers
        for kernel in state.kernels
        if choice.builds_modules or not kernel.module
    )


def _is_same_driver(choice: Choice, state: DriverState) -> bool:
    """Whether what is packaged is the chosen driver, though perhaps not all of it."""
    if choice.packages is None or not state.packaged:
        return choice.packages is None and state.on_disk == choice.version
    return (
        any(name in state.packages for name in choice.packages.modules)
        and state.packaged_flavour == choice.flavour
        and _is_version(choice, state.packaged)
    )


def _refuse_replacement(choice: Choice, state: DriverState, settings: NvidiaSettings) -> None:
    wanted = f"{choice.version or choice.branch} ({choice.flavour} modules)"
    if not settings.upgrade_allowed:
        raise NodeRefused(
            f"the node has {state.description}, and {wanted} is declared; replacing it stops every "
            "GPU job: set NvidiaSettings.upgrade_allowed=True when the node may be disturbed, or "
            "declare what is installed."
        )
    if settings.drain_command is None:
        refuse_users(state)
    if choice.packages is None and state.module_packages:
        raise NodeRefused(
            f"{', '.join(state.module_packages)} would be overwritten by NVIDIA's installer; "
            "remove the packaged driver first, or declare another NvidiaSettings.source."
        )


def refuse_users(state: DriverState) -> None:
    """Raise NodeRefused, naming them, when processes that are not ours have a GPU open."""
    others = [str(user) for user in state.users if user.program not in _OURS]
    if others:
        raise NodeRefused(
            f"the GPUs are in use by {', '.join(others[:8])}; stop them, or have "
            "NvidiaSettings.drain_command do it, then run again."
        )


def managed(state: DriverState) -> tuple[str, ...]:
    """Return the running services that a replacement stops and starts again."""
    return tuple(unit for unit in state.units if unit.removesuffix(".service") in _MANAGED)


def _prerequisites(choice: Choice, state: DriverState) -> tuple[str, ...]:
    """DKMS, and headers for every installed kernel and for those that its updates bring."""
    if not choice.builds_modules:
        return ()
    if choice.packages and choice.packages.stream:
        devel = [f"kernel-devel-{each.version}" for each in state.kernels if not each.has_headers]
        return ("dkms", "kernel-devel-matched", *devel)
    exact = [f"linux-headers-{each.version}" for each in state.kernels if not each.has_headers]
    tracking = [
        name.replace("linux-image-", "linux-headers-", 1)
        for name in state.packages
        if re.fullmatch(r"linux-image-[a-z][a-z0-9.-]*", name)
        and not name.endswith(("-dbg", "-unsigned"))
    ]
    return ("dkms", *exact, *(each for each in tracking if each not in state.packages))


def _removed(choice: Choice, state: DriverState) -> tuple[str, ...]:
    """Packages with another branch or flavour in their names; apt itself sees to conflicts."""
    if choice.packages is None:
        return ()
    return tuple(
        name
        for name in state.packages
        if is_of_a_driver(name)
        and name not in choice.packages.names
        and (_branch_in(name) or choice.branch) != choice.branch
    )


def _branch_in(name: str) -> int | None:
    found = re.search(r"-(\d{3})(?=-|$)", name)
    return int(found.group(1)) if found else None
