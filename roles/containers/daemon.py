"""daemon.json: what is declared, how it merges with what is there, what a change asks for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from flightline.errors import FlightlineError, SettingsError
from roles.containers.settings import ContainersSettings, Ulimit

PATH = "/etc/docker/daemon.json"

RELOADED = frozenset(
    {
        "authorization-plugins",
        "debug",
        "default-runtime",
        "insecure-registries",
        "labels",
        "live-restore",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "max-download-attempts",
        "registry-mirrors",
        "runtimes",
        "shutdown-timeout",
    }
)
"""Keys that dockerd takes over at SIGHUP; every other key needs a restart.
Source: docs.docker.com/reference/cli/dockerd, "Configuration reload behavior", read 2026-11-20.
`features` is in that list too, but what it says of CDI counts at a start only."""

FIXED_BY_CONTAINERS = frozenset({"bip"})
"""Keys that not even a restart applies while containers run: dockerd keeps docker0 as it is then
(moby daemon/daemon_unix.go, initNetworkController)."""

_SHARED = frozenset({"features", "runtimes"})
"""Objects of `extra` in which entries of others stay."""

NVIDIA_RUNTIME = "nvidia-container-runtime"
"""What `nvidia-ctk runtime configure` registers under the name nvidia."""

_CGROUP_OPTION = "native.cgroupdriver="


def declared_keys(settings: ContainersSettings) -> dict[str, Any]:
    """Return the keys of daemon.json that this role owns, with their declared values.

    Raises SettingsError when `extra` holds a key that a field owns.
    """
    owned: dict[str, Any] = {
        "bip": settings.bridge_address,
        "data-root": settings.data_root,
        "default-address-pools": [
            {"base": pool.base, "size": pool.size} for pool in settings.address_pools
        ],
        "default-shm-size": f"{settings.shm_size_mib}m",
        "default-ulimits": _ulimits(settings),
        "exec-opts": [_CGROUP_OPTION + settings.cgroup_driver],
        "insecure-registries": list(settings.insecure_registries),
        "live-restore": settings.live_restore,
        "log-driver": settings.log_driver,
        "log-opts": _log_options(settings),
        "registry-mirrors": list(settings.registry_mirrors),
        "storage-driver": settings.storage_driver,
    }
    owners = owned.keys() | ({"default-runtime"} if settings.nvidia_runtime_default else set())
    if taken := sorted(owners & settings.extra.keys()):
        raise SettingsError(
            f"ContainersSettings.extra: {', '.join(taken)} of daemon.json is set by a field of its "
            "own; remove it from extra."
        )
    return {**owned, **settings.extra}


def merged_keys(
    settings: ContainersSettings, current: Mapping[str, Any], *, has_gpu: bool = False
) -> dict[str, Any]:
    """Return what daemon.json holds afterwards: our keys win, every other key stays.

    + has_gpu: containers get GPUs here, so NVIDIA's runtime, the default one and CDI are ours too

    Registries are replaced whole, so that none stays behind. Within the keys that several owners
    share, foreign entries stay: other ulimits, other exec-opts, and other log-opts as long as the
    log driver is the same, because options belong to their driver.
    """
    wanted = declared_keys(settings)
    same_driver = current.get("log-driver", "json-file") == settings.log_driver
    wanted["default-ulimits"] = {**_object(current, "default-ulimits"), **_ulimits(settings)}
    wanted["log-opts"] = {
        **(_object(current, "log-opts") if same_driver else {}),
        **_log_options(settings),
    }
    wanted["exec-opts"] = [*_foreign_exec_options(current), *wanted["exec-opts"]]
    for key in wanted.keys() & _SHARED:
        wanted[key] = {**_object(current, key), **_object(wanted, key)}
    merged = {**current, **wanted}
    return {**merged, **nvidia_keys(settings, merged)} if has_gpu else merged


def nvidia_keys(settings: ContainersSettings, current: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that give containers GPUs, as `nvidia-ctk runtime configure` merges them.

    Other runtimes and features stay. A default runtime that is not nvidia's stays too, unless
    nvidia's is declared.
    """
    runtimes = _object(current, "runtimes")
    if not is_nvidia_runtime(runtimes.get("nvidia")):
        runtimes = {**runtimes, "nvidia": {"args": [], "path": NVIDIA_RUNTIME}}
    wanted: dict[str, Any] = {
        "runtimes": runtimes,
        "features": {**_object(current, "features"), "cdi": settings.nvidia_cdi},
    }
    if settings.nvidia_runtime_default:
        wanted["default-runtime"] = "nvidia"
    elif current.get("default-runtime") == "nvidia" and "default-runtime" not in settings.extra:
        wanted["default-runtime"] = "runc"  # a key that goes away would not be reloaded
    return wanted


def is_nvidia_runtime(entry: object) -> bool:
    """Whether an entry of `runtimes` runs NVIDIA's runtime, with a path or without, and plainly."""
    if not isinstance(entry, dict) or entry.get("args") or entry.get("runtimeArgs"):
        return False
    return entry.get("path") in (NVIDIA_RUNTIME, f"/usr/bin/{NVIDIA_RUNTIME}")


def merge(settings: ContainersSettings, text: str | None, *, has_gpu: bool = False) -> str:
    """Return the new text of daemon.json; the old text itself when it says the same already.

    Raises FlightlineError, naming line and column, when the old text is not a JSON object.
    """
    current = parse(text)
    wanted = merged_keys(settings, current, has_gpu=has_gpu)
    if text is not None and wanted == current:
        return text
    return json.dumps(wanted, indent=4) + "\n"


def parse(text: str | None) -> dict[str, Any]:
    """Return the keys of a daemon.json; none where there is no file or an empty one.

    Raises FlightlineError, naming line and column, when the text is not a JSON object.
    """
    if text is None or not text.strip():
        return {}
    try:
        keys = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        _refuse(f" line {error.lineno} column {error.colno}: {error.msg.lower()}")
    except ValueError as error:
        _refuse(f": {error}")
    if not isinstance(keys, dict):
        _refuse(f" holds a {type(keys).__name__} where an object in braces belongs")
    return keys


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys whose value differs; an absent key and an empty value mean the same."""
    return frozenset(
        key
        for key in before.keys() | after.keys()
        if (before.get(key) or None) != (after.get(key) or None)
    )


def needing_restart(keys: Iterable[str]) -> tuple[str, ...]:
    """Return those of the keys, sorted, that dockerd does not take over at SIGHUP."""
    return tuple(sorted(set(keys) - RELOADED))


def _ulimits(settings: ContainersSettings) -> dict[str, dict[str, Any]]:
    def entry(name: str, limit: Ulimit) -> dict[str, Any]:
        return {"Name": name, "Soft": limit.soft, "Hard": limit.hard}

    return {
        "memlock": entry("memlock", settings.ulimit_memlock_bytes),
        "nofile": entry("nofile", settings.ulimit_nofile),
        "stack": entry("stack", settings.ulimit_stack_bytes),
    }


def _log_options(settings: ContainersSettings) -> dict[str, str]:
    """Options are strings to Docker, numbers too; journald rotates by its own limits."""
    if settings.log_driver == "journald":
        return {}
    return {"max-file": str(settings.log_max_files), "max-size": f"{settings.log_max_size_mb}m"}


def _foreign_exec_options(current: Mapping[str, Any]) -> list[str]:
    options = current.get("exec-opts")
    if not isinstance(options, list):  # dockerd would not take it: ours replaces it
        return []
    return [option for option in options if not str(option).startswith(_CGROUP_OPTION)]


def _object(current: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = current.get(key)
    return value if isinstance(value, dict) else {}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _refuse(what: str) -> NoReturn:
    raise FlightlineError(
        f"{PATH}{what}; expected one JSON object, so that keys of others can be kept: "
        "correct it or move it away, then run again."
    )
