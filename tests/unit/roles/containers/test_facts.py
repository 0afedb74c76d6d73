"""What a node answers is understood, and what is cut short is not taken for an answer."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from roles.containers.facts import DataRootContent, Engine, parse_state
from roles.containers.live import address_pools, insecure_registries, mirrors
from roles.containers.networks import parse_routes

# A Debian 12 node with Docker 20.10.24, 2026-11-21, shortened.
ROUTES = json.dumps(
    [
        {"dst": "default", "gateway": "10.0.2.2", "dev": "eth0", "flags": []},
        {"dst": "10.88.0.0/24", "dev": "eth1", "protocol": "kernel", "scope": "link"},
        {"dst": "172.29.0.0/20", "dev": "docker0", "scope": "link", "flags": ["linkdown"]},
        {"dst": "172.29.128.0/24", "dev": "br-0123456789ab", "scope": "link"},
        {"type": "local", "dst": "10.0.2.15", "dev": "eth0", "table": "local"},
        {"type": "blackhole", "dst": "192.0.2.0/24"},
    ]
)
INFO = {
    "ServerVersion": "20.10.24+dfsg1",
    "ContainersRunning": 2,
    "DefaultAddressPools": [{"Base": "172.29.128.0/17", "Size": 24}],
    "RegistryConfig": {
        "InsecureRegistryCIDRs": ["10.1.0.0/16", "127.0.0.0/8"],
        "IndexConfigs": {
            "10.0.2.2:5000": {"Name": "10.0.2.2:5000", "Secure": False},
            "docker.io": {"Name": "docker.io", "Secure": True},
        },
        "Mirrors": ["http://10.0.2.2:5000/"],
    },
}


def described(*lines: str) -> str:
    text = base64.b64encode(b'{"debug": true}\n').decode()
    return "\n".join([f"file={text}", "group=bob,alice", f"routes={ROUTES}", *lines, "end"])


def test_a_running_engine_is_understood() -> None:
    state = parse_state(
        described(
            "modified=100", "active=active", "package=docker.io", f"info={json.dumps(INFO)}",
            "loaded=90", "loaded=120",
        )
    )  # fmt: skip
    assert state.file == '{"debug": true}\n'
    assert (state.active, state.stale, state.running_containers) == (True, False, 2)
    assert (state.installed, state.members) == (("docker.io",), ("alice", "bob"))


@pytest.mark.parametrize(
    ("modified", "loaded", "stale"), [(100, 100, False), (101, 100, True), (99, 100, False)]
)
def test_a_file_written_after_it_was_read_is_stale(modified: int, loaded: int, stale: bool) -> None:
    lines = (f"modified={modified}", f"loaded={loaded}", "active=active")
    assert parse_state(described(*lines)).stale is stale


def test_a_stopped_engine_has_read_nothing_and_owes_nothing() -> None:
    state = parse_state(described("modified=100", "active=inactive"))
    assert (state.active, state.stale, state.info, state.running_containers) == (
        False,
        False,
        {},
        0,
    )


def test_a_node_without_an_engine_is_understood() -> None:
    state = parse_state("group=\nactive=\nroutes=\nend")
    assert (state.file, state.installed, state.members, state.routes) == (None, (), (), ())


@pytest.mark.parametrize(
    ("info", "silent"),
    [
        (["info="], True),
        (['info={"ContainersRunning":0,"ServerErrors":["Cannot connect"]}'], True),
        ([f"info={json.dumps(INFO)}"], False),
        ([], False),
    ],
)
def test_a_dockerd_that_was_asked_and_gave_no_answer_is_silent(
    info: list[str], silent: bool
) -> None:
    assert parse_state(described("active=active", *info)).silent is silent


def test_a_container_of_any_runtime_is_seen_by_its_shim(tmp_path: Path) -> None:
    """A shell under the shim's name stands for it: the kernel names a process by its file."""
    shim = tmp_path / "containerd-shim-runc-v2"
    shim.symlink_to("/bin/sh")
    with subprocess.Popen([shim, "-c", "read -r line"], stdin=subprocess.PIPE):
        said = subprocess.run(
            ["sh", "-c", Engine().command()], capture_output=True, text=True, check=True
        ).stdout
    assert Engine().process(said.splitlines()).shims
    assert not parse_state(described()).shims


def test_a_description_cut_short_is_no_description() -> None:
    with pytest.raises(ValueError, match="cut short"):
        parse_state("active=active\ninfo={}")


def test_the_engines_own_routes_and_the_default_are_left_out() -> None:
    found = {(str(route.network), route.device) for route in parse_routes(ROUTES)}
    assert found == {
        ("10.88.0.0/24", "eth1"),
        ("10.0.2.15/32", "eth0"),
        ("192.0.2.0/24", "blackhole"),
    }


def test_docker_info_is_read_in_the_words_of_daemon_json() -> None:
    assert mirrors(INFO) == ("http://10.0.2.2:5000",)
    assert insecure_registries(INFO) == {"10.0.2.2:5000", "10.1.0.0/16"}
    assert address_pools(INFO) == (("172.29.128.0/17", 24),)


def test_an_engine_of_before_any_setting_has_none() -> None:
    assert (mirrors({}), insecure_registries({}), address_pools({})) == ((), frozenset(), ())


def test_a_data_root_with_spaces_is_quoted() -> None:
    assert "'/data/my root'/containers" in DataRootContent().command(data_root="/data/my root")


@pytest.mark.parametrize(("output", "found"), [([], None), (["/a/volumes/m"], "/a/volumes/m")])
def test_the_first_thing_in_a_data_root_is_named(output: list[str], found: str | None) -> None:
    assert DataRootContent().process(output) == found
