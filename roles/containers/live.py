"""What `docker info` says, in the words of daemon.json: names differ between the two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roles.containers.settings import ContainersSettings

Info = Mapping[str, Any]


def mirrors(info: Info) -> tuple[str, ...]:
    """Return the mirrors in use; Docker adds a slash to each."""
    return tuple(url.rstrip("/") for url in _registries(info).get("Mirrors") or ())


def insecure_registries(info: Info) -> frozenset[str]:
    """Return registries and networks in use as insecure, without loopback, which always is."""
    networks = _registries(info).get("InsecureRegistryCIDRs") or ()
    named = {
        name
        for name, index in (_registries(info).get("IndexConfigs") or {}).items()
        if not index.get("Secure", True)
    }
    return frozenset({*named, *networks} - {"127.0.0.0/8", "::1/128"})


def address_pools(info: Info) -> tuple[tuple[str, int], ...]:
    """Return (network, prefix length) of each pool; none means Docker's built-in ones."""
    pools = info.get("DefaultAddressPools") or ()
    return tuple((pool["Base"], int(pool["Size"])) for pool in pools)


def nvidia_differences(info: Info, settings: ContainersSettings) -> frozenset[str]:
    """Return those keys that give containers GPUs whose live value is not the declared one."""
    is_default = info.get("DefaultRuntime") == "nvidia"
    same = {
        "runtimes": "nvidia" in (info.get("Runtimes") or {}),
        "default-runtime": is_default or not settings.nvidia_runtime_default,
        "features": settings.nvidia_cdi is False or not knows_cdi(info) or bool(cdi_folders(info)),
    }
    return frozenset(key for key, is_same in same.items() if not is_same)


def knows_cdi(info: Info) -> bool:
    """Whether this dockerd can give out devices by CDI: from Docker 25 on (its API 1.44)."""
    major = str(info.get("ServerVersion", "")).partition(".")[0]
    return major.isdigit() and int(major) >= 25


def cdi_folders(info: Info) -> tuple[str, ...]:
    """Return where dockerd looks for CDI specifications; none means that it does not use CDI.

    docs.docker.com/reference/api/engine/version/v1.44, SystemInfo.CDISpecDirs, read 2026-11-21.
    """
    return tuple(info.get("CDISpecDirs") or ())


def differences(
    info: Info, settings: ContainersSettings, *, has_gpu: bool = False
) -> frozenset[str]:
    """Return the keys of daemon.json whose live value is not the declared one.

    Only keys that `docker info` shows; ulimits, shm size and log options it does not. With
    has_gpu, those that give containers GPUs too.
    """
    pools = tuple((pool.base, pool.size) for pool in settings.address_pools)
    same = {
        "registry-mirrors": mirrors(info) == settings.registry_mirrors,
        "insecure-registries": insecure_registries(info) == set(settings.insecure_registries),
        "live-restore": info.get("LiveRestoreEnabled") == settings.live_restore,
        "log-driver": info.get("LoggingDriver") == settings.log_driver,
        "data-root": info.get("DockerRootDir") == settings.data_root,
        "storage-driver": info.get("Driver") == settings.storage_driver,
        "exec-opts": info.get("CgroupDriver") == settings.cgroup_driver,
        "default-address-pools": address_pools(info) == pools,
    }
    gpus = nvidia_differences(info, settings) if has_gpu else frozenset()
    return gpus | {key for key, is_same in same.items() if not is_same}


def _registries(info: Info) -> Mapping[str, Any]:
    return info.get("RegistryConfig") or {}
