"""A node and a running engine, to be varied by each test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import pytest

from flightline.facts.node import NodeFacts
from roles.containers.daemon import merge
from roles.containers.facts import EngineState
from roles.containers.settings import ContainersSettings


class MakeNode(Protocol):
    def __call__(self, **changes: Any) -> NodeFacts: ...


class MakeState(Protocol):
    def __call__(self, settings: ContainersSettings, **changes: Any) -> EngineState: ...


DEBIAN_12 = NodeFacts(
    distribution="debian",
    version="12",
    codename="bookworm",
    family="debian",
    architecture="x86_64",
    kernel="6.1.0-56-amd64",
    boot_id="",
    virtualization="none",
    product_name="",
    is_grace=False,
    cpus=64,
    memory_bytes=2**40,
    numa_nodes=(),
    has_cpufreq=True,
    is_uefi=True,
    has_systemd=True,
    is_root=True,
    root_read_only=False,
    root_free_bytes=2**40,
    boot_free_bytes=2**30,
    var_free_bytes=2**40,
    has_default_route=True,
    apt_lock_holder=None,
    dpkg_broken=(),
    dpkg_interrupted=False,
)


@pytest.fixture
def make_node() -> MakeNode:
    def make(**changes: Any) -> NodeFacts:
        return replace(DEBIAN_12, **changes)

    return make


@pytest.fixture
def make_state() -> MakeState:
    """A node that is as declared, apart from the changes."""

    def make(settings: ContainersSettings, **changes: Any) -> EngineState:
        info = {
            "ServerVersion": "20.10.24",
            "ContainersRunning": 0,
            "Images": 0,
            "LoggingDriver": settings.log_driver,
            "LiveRestoreEnabled": settings.live_restore,
            "DockerRootDir": settings.data_root,
            "Driver": settings.storage_driver,
            "CgroupDriver": settings.cgroup_driver,
            "DefaultAddressPools": [
                {"Base": pool.base, "Size": pool.size} for pool in settings.address_pools
            ],
            "RegistryConfig": {
                "Mirrors": [f"{url}/" for url in settings.registry_mirrors],
                "InsecureRegistryCIDRs": ["127.0.0.0/8"],
                "IndexConfigs": {
                    "docker.io": {"Secure": True},
                    **{name: {"Secure": False} for name in settings.insecure_registries},
                },
            },
            **changes.pop("info", {}),
        }
        state = EngineState(
            file=merge(settings, None),
            active=True,
            stale=False,
            info=info,
            silent=False,
            shims=False,
            installed=("docker.io",),
            members=(),
            routes=(),
        )
        return replace(state, **changes)

    return make
