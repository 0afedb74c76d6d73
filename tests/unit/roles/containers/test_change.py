"""What disturbs a running engine is known, and refused, before anything is touched."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

import pytest

from flightline.errors import NodeRefused
from roles.containers.change import (
    Means,
    current_root,
    means_of,
    refuse_harm,
    refuse_move,
    refuse_removal,
)
from roles.containers.networks import Route
from roles.containers.operations import engine_hooks
from roles.containers.settings import ContainersSettings
from tests.unit.roles.containers.conftest import MakeState

DECLARED = ContainersSettings()
BUSY = {"ContainersRunning": 3, "Images": 2}


def route(network: str, device: str) -> Route:
    return Route(ipaddress.IPv4Network(network), device)


def test_a_node_as_declared_is_left_alone(make_state: MakeState) -> None:
    state = make_state(DECLARED, info=BUSY)
    refuse_harm(state, ContainersSettings(restart_allowed=False))
    assert means_of(state, DECLARED) is Means.NOTHING


@pytest.mark.parametrize(
    ("field", "value", "means"),
    [
        ("registry_mirrors", ("https://mirror.example.org",), Means.RELOAD),
        ("insecure_registries", ("10.0.2.2:5000",), Means.RELOAD),
        ("live_restore", False, Means.RELOAD),
        ("log_driver", "json-file", Means.RESTART),
        ("shm_size_mib", 2048, Means.RESTART),
        ("extra", {"debug": True}, Means.RELOAD),
        ("extra", {"dns": ["10.0.0.2"]}, Means.RESTART),
    ],
)
def test_a_changed_setting_takes_the_gentlest_way(
    make_state: MakeState, field: str, value: Any, means: Means
) -> None:
    assert means_of(make_state(DECLARED), ContainersSettings(**{field: value})) is means


@pytest.mark.parametrize(
    ("info", "means"),
    [
        ({"LiveRestoreEnabled": False}, Means.RELOAD),
        ({"LoggingDriver": "json-file"}, Means.RESTART),
        ({"CgroupDriver": "cgroupfs"}, Means.RESTART),
    ],
)
def test_an_engine_that_does_not_live_by_its_file_is_brought_to_it(
    make_state: MakeState, info: dict[str, Any], means: Means
) -> None:
    assert means_of(make_state(DECLARED, info=info), DECLARED) is means


def test_a_file_that_was_edited_and_not_loaded_means_a_restart(make_state: MakeState) -> None:
    assert means_of(make_state(DECLARED, stale=True), DECLARED) is Means.RESTART


def test_an_engine_that_does_not_run_needs_nothing(make_state: MakeState) -> None:
    state = make_state(DECLARED, active=False, file=None)
    assert means_of(state, DECLARED) is Means.NOTHING


def test_a_restart_that_is_not_allowed_is_refused_with_its_reason(make_state: MakeState) -> None:
    settings = ContainersSettings(restart_allowed=False, log_driver="json-file")
    with pytest.raises(NodeRefused, match=r"log-driver.*restart_allowed forbids"):
        refuse_harm(make_state(DECLARED), settings)


def test_a_reload_is_allowed_where_a_restart_is_not(make_state: MakeState) -> None:
    settings = ContainersSettings(restart_allowed=False, registry_mirrors=("http://m.example",))
    refuse_harm(make_state(DECLARED, info=BUSY), settings)


def test_containers_survive_a_restart_only_with_live_restore(make_state: MakeState) -> None:
    settings = ContainersSettings(live_restore=False, log_driver="json-file")
    with pytest.raises(NodeRefused, match="would stop 3 running containers"):
        refuse_harm(make_state(DECLARED, info=BUSY), settings)
    refuse_harm(make_state(DECLARED, info=BUSY), ContainersSettings(log_driver="json-file"))


def test_the_bridge_does_not_move_under_running_containers(make_state: MakeState) -> None:
    settings = ContainersSettings(bridge_address="172.29.16.1/20")
    with pytest.raises(
        NodeRefused, match=r"bip of daemon\.json cannot change while containers run"
    ):
        refuse_harm(make_state(DECLARED, info=BUSY), settings)
    refuse_harm(make_state(DECLARED), settings)


@pytest.mark.parametrize("network", ["172.29.0.0/16", "172.29.130.0/24", "172.16.0.0/12"])
def test_a_network_of_the_site_is_not_taken_for_containers(
    make_state: MakeState, network: str
) -> None:
    state = make_state(DECLARED, active=False, routes=(route(network, "eth1"),))
    with pytest.raises(NodeRefused) as refusal:
        refuse_harm(state, DECLARED)
    assert f"overlaps {network}, which this node reaches by eth1" in refusal.value.message


def test_neighbouring_networks_are_no_collision(make_state: MakeState) -> None:
    routes = (route("172.28.0.0/16", "eth0"), route("172.29.16.0/20", "eth1"))
    refuse_harm(make_state(DECLARED, routes=routes), DECLARED)


def test_images_are_not_lost_from_sight_by_another_driver(make_state: MakeState) -> None:
    with pytest.raises(NodeRefused, match="vfs and holds 2 images"):
        refuse_harm(make_state(DECLARED, info={"Driver": "vfs", "Images": 2}), DECLARED)


@pytest.mark.parametrize(
    ("settings", "info"),
    [
        (ContainersSettings(source="docker"), BUSY),
        (ContainersSettings(source="docker", restart_allowed=False), {}),
    ],
)
def test_an_engine_at_work_is_not_replaced(
    make_state: MakeState, settings: ContainersSettings, info: dict[str, Any]
) -> None:
    with pytest.raises(NodeRefused, match="would be replaced by docker-ce"):
        refuse_harm(make_state(settings, info=info), settings)


def test_an_engine_that_does_not_answer_is_not_taken_for_an_idle_one(
    make_state: MakeState,
) -> None:
    with pytest.raises(NodeRefused, match="dockerd runs but does not answer"):
        refuse_harm(replace(make_state(DECLARED), info={}, silent=True), DECLARED)
    refuse_harm(replace(make_state(DECLARED), info={}, active=False), DECLARED)


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("package", ["containerd", "runc", "docker.io"])
def test_no_runtime_is_removed_under_containers_whoever_started_them(
    make_state: MakeState, package: str, active: bool
) -> None:
    state = make_state(DECLARED, installed=(package,), shims=True, active=active)
    with pytest.raises(NodeRefused, match=f"{package} would be removed while containers run"):
        refuse_removal(state, ("docker.io", "containerd", "runc"))
    refuse_removal(replace(state, shims=False), ("docker.io", "containerd", "runc"))
    refuse_removal(state, ("docker-ce", "containerd.io"))


def test_containerd_alone_is_no_other_engine(make_state: MakeState) -> None:
    state = make_state(DECLARED, installed=("containerd", "runc"), info=BUSY)
    refuse_harm(state, ContainersSettings(source="docker"))


def test_a_data_root_in_use_is_not_moved_silently() -> None:
    settings = ContainersSettings(data_root="/data/docker")
    with pytest.raises(NodeRefused, match="move the folder there"):
        refuse_move("/var/lib/docker", "/var/lib/docker/volumes/models", settings)
    refuse_move("/var/lib/docker", None, settings)


@pytest.mark.parametrize(
    ("changes", "root"),
    [
        ({"info": {"DockerRootDir": "/data/a"}}, "/data/a"),
        ({"info": {"DockerRootDir": None}, "file": '{"data-root": "/data/b"}'}, "/data/b"),
        ({"info": {"DockerRootDir": None}, "file": None}, "/var/lib/docker"),
    ],
)
def test_the_present_data_root_is_found(
    make_state: MakeState, changes: dict[str, Any], root: str
) -> None:
    assert current_root(make_state(DECLARED, **changes)) == root


def test_nothing_restarts_where_settings_forbid_it(make_state: MakeState) -> None:
    hooks = engine_hooks(make_state(DECLARED), ContainersSettings(restart_allowed=False))
    assert not [hook for hook in hooks if "restart" in hook.command]


def test_hooks_have_the_same_text_whatever_changed(make_state: MakeState) -> None:
    """An interrupted hook is known again by its text."""
    gentle = engine_hooks(make_state(DECLARED), DECLARED)
    harsh = engine_hooks(make_state(DECLARED), ContainersSettings(log_driver="json-file"))
    assert [hook.command for hook in gentle] == [hook.command for hook in harsh]
    assert "/etc/docker/daemon.json" not in gentle[-1].paths
    assert "/etc/docker/daemon.json" in harsh[-1].paths
