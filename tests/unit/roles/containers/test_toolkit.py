"""NVIDIA's toolkit is trusted, pinned and brought into effect without harm to containers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from flightline.errors import NodeRefused, SettingsError
from flightline.operations.bundle import Absent, File
from roles.containers import toolkit
from roles.containers.change import Means, gives_gpus, means_of, refuse_harm
from roles.containers.daemon import merge
from roles.containers.gpus import TOOLKIT, parse_gpus
from roles.containers.live import cdi_folders, knows_cdi
from roles.containers.operations import engine_hooks, engine_items
from roles.containers.settings import ContainersSettings
from tests.unit.roles.containers.conftest import DEBIAN_12, MakeState
from tests.unit.roles.containers.test_gpus import SOUND

DECLARED = ContainersSettings()
ROCKY = replace(DEBIAN_12, distribution="rocky", version="9.6", family="rhel", codename="")
GPUS = parse_gpus(SOUND)
LIVE = {
    "Runtimes": {"nvidia": {"path": "nvidia-container-runtime"}, "runc": {}},
    "DefaultRuntime": "runc",
    "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"],
    "ServerVersion": "28.5.1",
}


def merged(settings: ContainersSettings, found: dict[str, Any]) -> dict[str, Any]:
    keys: dict[str, Any] = json.loads(merge(settings, json.dumps(found), has_gpu=True))
    return keys


def test_a_gpu_node_gets_what_nvidia_ctk_would_write() -> None:
    keys = merged(DECLARED, {})
    assert keys["runtimes"] == {"nvidia": {"args": [], "path": "nvidia-container-runtime"}}
    assert keys["features"] == {"cdi": True}
    assert "default-runtime" not in keys


@pytest.mark.parametrize(
    ("declared", "found", "runtime"),
    [(True, None, "nvidia"), (True, "crun", "nvidia"), (False, "nvidia", "runc"),
     (False, "crun", "crun")],
)  # fmt: skip
def test_the_default_runtime_is_nvidias_only_where_declared(
    declared: bool, found: str | None, runtime: str
) -> None:
    before = {"default-runtime": found} if found else {}
    keys = merged(ContainersSettings(nvidia_runtime_default=declared), before)
    assert keys["default-runtime"] == runtime


def test_other_runtimes_and_features_stay() -> None:
    found = {
        "runtimes": {"kata": {"runtimeType": "io.containerd.kata.v2"}},
        "features": {"containerd-snapshotter": False},
    }
    keys = merged(ContainersSettings(extra={"features": {"buildkit": True}}), found)
    assert sorted(keys["runtimes"]) == ["kata", "nvidia"]
    assert keys["features"] == {"containerd-snapshotter": False, "buildkit": True, "cdi": True}


@pytest.mark.parametrize(
    ("entry", "stays"),
    [
        ({"path": "/usr/bin/nvidia-container-runtime", "runtimeArgs": []}, True),
        ({"path": "nvidia-container-runtime"}, True),
        ({"path": "/opt/old/nvidia-container-runtime"}, False),
        ({"path": "nvidia-container-runtime", "args": ["--debug"]}, False),
    ],
)
def test_an_entry_that_says_the_same_is_left_as_it_is(entry: dict[str, Any], stays: bool) -> None:
    keys = merged(DECLARED, {"runtimes": {"nvidia": entry}})
    assert (keys["runtimes"]["nvidia"] == entry) is stays


def test_a_default_runtime_is_not_declared_twice() -> None:
    settings = ContainersSettings(nvidia_runtime_default=True, extra={"default-runtime": "runc"})
    with pytest.raises(SettingsError, match="default-runtime"):
        merge(settings, None)


@pytest.mark.parametrize(
    ("wanted", "on_bus", "gives"),
    [("when-present", True, True), ("when-present", False, False), ("always", False, True),
     ("off", True, False)],
)  # fmt: skip
def test_the_toolkit_follows_the_bus_and_the_settings(
    make_state: MakeState, wanted: Any, on_bus: bool, gives: bool
) -> None:
    gpus = GPUS if on_bus else replace(GPUS, on_bus=())
    settings = ContainersSettings(nvidia_toolkit=wanted)
    assert gives_gpus(make_state(settings, gpus=gpus), settings) is gives


def test_without_a_gpu_the_role_is_what_it_was(make_state: MakeState) -> None:
    paths = {item.path for item in engine_items(DEBIAN_12, DECLARED)}
    assert not [path for path in paths if "gpu" in path or "nvidia" in path]
    hooks = engine_hooks(make_state(DECLARED), DECLARED)
    assert not [hook for hook in hooks if "gpu-devices" in hook.command]


def test_links_are_made_before_systemd_reloads(make_state: MakeState) -> None:
    """Otherwise the reload that the role makes takes the GPUs from running containers."""
    hooks = [hook.command for hook in engine_hooks(make_state(DECLARED, gpus=GPUS), DECLARED)]
    refresh = hooks.index(toolkit.REFRESH)
    assert refresh < min(n for n, command in enumerate(hooks) if "daemon-reload" in command)


@pytest.mark.parametrize(
    ("info", "means"),
    [
        ({}, Means.NOTHING),
        ({"Runtimes": {"runc": {}}}, Means.RELOAD),
        ({"CDISpecDirs": None}, Means.RESTART),
        ({"CDISpecDirs": None, "ServerVersion": "20.10.24"}, Means.NOTHING),
    ],
)
def test_dockerd_comes_to_the_gpus_in_the_gentlest_way(
    make_state: MakeState, info: dict[str, Any], means: Means
) -> None:
    file = merge(DECLARED, None, has_gpu=True)
    state = make_state(DECLARED, gpus=GPUS, file=file, info={**LIVE, **info})
    assert means_of(state, DECLARED) is means


def test_a_restart_for_cdi_says_so_where_it_is_forbidden(make_state: MakeState) -> None:
    settings = ContainersSettings(restart_allowed=False)
    file = merge(settings, None, has_gpu=True)
    state = make_state(settings, gpus=GPUS, file=file, info={**LIVE, "CDISpecDirs": []})
    with pytest.raises(NodeRefused, match=r"features of daemon\.json takes effect at a restart"):
        refuse_harm(state, settings)


def test_cdi_is_known_from_docker_25_on() -> None:
    assert knows_cdi({"ServerVersion": "25.0.0"})
    assert not knows_cdi({"ServerVersion": "20.10.24+dfsg1"})
    assert not knows_cdi({})
    assert cdi_folders({"CDISpecDirs": None}) == ()


@pytest.mark.parametrize(
    ("declared", "installed", "version"),
    [("1.18.2", None, "1.18.2-1"), ("1.18.2-2", "1.18.1-1", "1.18.2-2"),
     (None, "1.18.1-1", "1.18.1-1"), (None, None, None)],
)  # fmt: skip
def test_all_parts_of_the_toolkit_have_one_version(
    declared: str | None, installed: str | None, version: str | None
) -> None:
    versions = ((TOOLKIT[0], installed),) if installed else ()
    settings = ContainersSettings(nvidia_toolkit_version=declared)
    found = toolkit.wanted_packages(settings, replace(GPUS, versions=versions))
    assert found == tuple(f"{name}={version}" if version else name for name in TOOLKIT)


@pytest.mark.parametrize("node", [DEBIAN_12, ROCKY], ids=["apt", "dnf"])
def test_only_nvidias_key_is_trusted_and_the_guides_files_give_way(node: Any) -> None:
    settings = ContainersSettings(nvidia_repository_url="https://mirror.example.org/nct/")
    away, source = toolkit.repository_items(node, settings)
    assert isinstance(away, Absent)
    assert "nvidia-container-toolkit" in away.path
    assert isinstance(source, File)
    assert "https://mirror.example.org/nct/stable/" in source.content
    key = toolkit.signing_key(node, settings)
    assert key.path in source.content
    assert toolkit.FINGERPRINT in source.content + key.command
    assert "https://mirror.example.org/nct/gpgkey" in key.command


def test_an_old_toolkit_needs_the_other_cgroup_driver() -> None:
    old = ContainersSettings(nvidia_toolkit_version="1.17.8")
    with pytest.raises(NodeRefused, match=r"takes GPUs from running containers; name 1\.18\.0"):
        toolkit.refuse_toolkit(DEBIAN_12, old)
    toolkit.refuse_toolkit(DEBIAN_12, old.model_copy(update={"cgroup_driver": "cgroupfs"}))
    toolkit.refuse_toolkit(DEBIAN_12, ContainersSettings(nvidia_toolkit_version="1.18.0-1"))


def test_an_architecture_without_a_toolkit_is_refused() -> None:
    with pytest.raises(NodeRefused, match="no NVIDIA container toolkit for ppc64le"):
        toolkit.refuse_toolkit(replace(DEBIAN_12, architecture="ppc64le"), DECLARED)


def test_a_refresh_is_due_where_the_driver_moved_on() -> None:
    assert not toolkit.refresh_due(GPUS)
    assert toolkit.refresh_due(replace(GPUS, driver="590.1.2"))
    assert not toolkit.refresh_due(replace(GPUS, driver="", specifications=()))
