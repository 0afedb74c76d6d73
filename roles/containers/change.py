"""What a change asks of a running engine, and what is refused before anything is touched: pure."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from flightline.errors import NodeRefused
from roles.containers.daemon import (
    FIXED_BY_CONTAINERS,
    changed_keys,
    merged_keys,
    needing_restart,
    parse,
)
from roles.containers.facts import EngineState
from roles.containers.live import differences
from roles.containers.networks import collisions
from roles.containers.settings import ContainersSettings

_DEFAULT_ROOT = "/var/lib/docker"
_OF_SOURCE = {"distribution": "docker.io", "docker": "docker-ce"}


class Means(enum.Enum):
    """How a running dockerd comes to its declared configuration."""

    NOTHING = "nothing"
    RELOAD = "reload"
    RESTART = "restart"


def means_of(state: EngineState, settings: ContainersSettings) -> Means:
    """Return what dockerd needs after the files are in place.

    Judged on the file and on what dockerd answers, so that a file which was put back by hand after
    a restart is noticed as well as an edited one.
    """
    if not state.active:
        return Means.NOTHING
    keys = pending_keys(state, settings)
    if state.stale or needing_restart(keys):
        return Means.RESTART
    return Means.RELOAD if keys else Means.NOTHING


def pending_keys(state: EngineState, settings: ContainersSettings) -> frozenset[str]:
    """Return the keys of daemon.json that differ in the file or in what dockerd answers."""
    current, gives = parse(state.file), gives_gpus(state, settings)
    in_file = changed_keys(current, merged_keys(settings, current, has_gpu=gives))
    if not state.info:
        return in_file
    return in_file | differences(state.info, settings, has_gpu=gives)


def gives_gpus(state: EngineState, settings: ContainersSettings) -> bool:
    """Whether containers on this node are to get GPUs."""
    if settings.nvidia_toolkit == "when-present":
        return bool(state.gpus.on_bus)
    return settings.nvidia_toolkit == "always"


def refuse_harm(state: EngineState, settings: ContainersSettings) -> None:
    """Raise NodeRefused where the declared engine would cut off networks, data or containers."""
    refuse_collision(state, settings)
    if not state.active:
        return
    if state.silent:
        raise NodeRefused(
            "dockerd runs but does not answer, so nobody can say which containers a change would "
            "stop; see `journalctl -u docker -b`, restart docker.service when its containers may "
            "be disturbed, and run again."
        )
    _refuse_replacement(state, settings)
    if means_of(state, settings) is Means.RESTART:
        _refuse_restart(state, settings)
    _refuse_lost_images(state, settings)


def refuse_collision(state: EngineState, settings: ContainersSettings) -> None:
    """Raise NodeRefused where a container network overlaps one that the node reaches otherwise."""
    for network, route in collisions(settings.networks, state.routes):
        raise NodeRefused(
            f"container network {network} overlaps {route.network}, which this node reaches by "
            f"{route.device}; choose ranges that the site does not use "
            "(ContainersSettings.bridge_address, address_pools)."
        )


def refuse_removal(state: EngineState, absent: Sequence[str]) -> None:
    """Raise NodeRefused where an engine would be removed under containers, whoever started them.

    Kubernetes runs them without dockerd, and live-restored ones run on while dockerd is stopped.
    """
    unwanted = [name for name in state.installed if name in absent]
    if unwanted and state.shims:
        raise NodeRefused(
            f"{', '.join(unwanted)} would be removed while containers run (containerd-shim "
            "processes, of Docker, Kubernetes or another user of containerd); stop them, or "
            "declare the source that is installed (ContainersSettings.source)."
        )


def current_root(state: EngineState) -> str:
    """Return the folder that holds images and containers now."""
    root = state.info.get("DockerRootDir") or parse(state.file).get("data-root")
    return str(root or _DEFAULT_ROOT)


def refuse_move(root: str, content: str | None, settings: ContainersSettings) -> None:
    """Raise NodeRefused where the data root would change and the present one is in use."""
    if root != settings.data_root and content:
        raise NodeRefused(
            f"the data root is {root} and holds {content}; expected {settings.data_root} "
            "(ContainersSettings.data_root). Stop docker and docker.socket, move the folder there, "
            "and run again."
        )


def _refuse_replacement(state: EngineState, settings: ContainersSettings) -> None:
    wanted = _OF_SOURCE[settings.source]
    engines = [name for name in state.installed if name in _OF_SOURCE.values()]
    others = [name for name in engines if name != wanted]
    if not others or wanted in engines:
        return
    if state.running_containers or not settings.restart_allowed:
        raise NodeRefused(
            f"{others[0]} runs {state.running_containers} containers and would be replaced by "
            f'{wanted} (ContainersSettings.source is "{settings.source}"); stop them and allow '
            "restarts, or declare the source that is installed."
        )


def _refuse_restart(state: EngineState, settings: ContainersSettings) -> None:
    keys = pending_keys(state, settings)
    why = f"{', '.join(needing_restart(keys))} of daemon.json" if keys else "an edited daemon.json"
    if not settings.restart_allowed:
        raise NodeRefused(
            f"{why} takes effect at a restart of dockerd, which ContainersSettings.restart_allowed "
            "forbids; allow it when the node may be disturbed."
        )
    if not state.running_containers:
        return
    if not settings.live_restore:
        raise NodeRefused(
            f"{why} takes effect at a restart of dockerd, which would stop "
            f"{state.running_containers} running containers (ContainersSettings.live_restore is "
            "False); stop them first."
        )
    if fixed := keys & FIXED_BY_CONTAINERS:
        raise NodeRefused(
            f"{', '.join(sorted(fixed))} of daemon.json cannot change while containers run "
            f"({state.running_containers} do); stop them first."
        )


def _refuse_lost_images(state: EngineState, settings: ContainersSettings) -> None:
    driver, images = state.info.get("Driver"), int(state.info.get("Images", 0))
    if driver and driver != settings.storage_driver and images:
        raise NodeRefused(
            f"the storage driver is {driver} and holds {images} images, which "
            f"{settings.storage_driver} (ContainersSettings.storage_driver) would not see; "
            "remove them first."
        )
