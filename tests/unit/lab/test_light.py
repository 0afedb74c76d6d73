"""A light node is a container: its own name, key, port and mounts, and root's to run."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner
from freezegun import freeze_time

from flightline.commands.lab import command
from flightline.errors import FlightlineError
from flightline.lab import inventory, keys, machine, state
from flightline.lab.light import container, fleet, node, packages, root
from flightline.lab.light.node import LightNode
from flightline.lab.mirror import Mirror
from flightline.lab.state import Node

MIRROR = Mirror("http://mirror.test/debian", "http://mirror.test/debian-security")
NODE = LightNode("light-1", "bookworm", 1, 2422, "/roots/bookworm-x")
RUNNING = replace(NODE, pid=os.getpid(), started=machine.started(os.getpid()), seconds=0.6)
VIRTUAL = Node(
    "node-1", "bookworm", 1, 2222, 3333, "/images/x", ("-accel", "tcg"), 2048, 2,
    pid=os.getpid(), started=machine.started(os.getpid()), origin="clone", seconds=1.5,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _own_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLIGHTLINE_LAB_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FLIGHTLINE_LAB_NODES", raising=False)


def recorded(light: LightNode) -> LightNode:
    light.folder.mkdir(parents=True)
    keys.generate(light.host_key, f"root@{light.name}")
    node.record(light)
    return light


def not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def test_a_record_is_read_back_as_written() -> None:
    recorded(RUNNING)
    assert node.nodes() == [RUNNING]
    assert state.node_named("light-1") == RUNNING


def test_a_damaged_record_is_named_with_the_way_out() -> None:
    light = recorded(NODE)
    (light.folder / "node.json").write_text("[]")
    with pytest.raises(FlightlineError, match=r"node\.json is not a node's record.*up --light"):
        node.nodes()


def test_no_node_of_any_kind_or_suite_shares_a_name() -> None:
    numbers = range(1, 33)
    light = [node.name_of(suite, number) for suite in node.PREFIXES for number in numbers]
    virtual = [state.name_of(suite, number) for suite in state.PREFIXES for number in numbers]
    assert len({*light, *virtual}) == len(light) + len(virtual)


def test_the_host_key_is_pinned_under_the_nodes_port() -> None:
    light = recorded(NODE)
    found = subprocess.run(
        ["ssh-keygen", "-F", "[127.0.0.1]:2422", "-f", light.door.known_hosts],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert keys.public(light.host_key).split()[1] in found


def test_its_disk_says_who_it_is_and_sshd_is_for_this_computer_alone() -> None:
    light = recorded(NODE)
    container.prepare(light)
    assert (light.disk / "etc/hostname").read_text() == "light-1\n"
    listens = (light.disk / "etc/ssh/sshd_config.d/10-lab.conf").read_text()
    assert listens == "ListenAddress 127.0.0.1:2422\n"
    assert (light.disk / "etc/ssh/ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600


def test_a_strict_umask_does_not_lock_the_nodes_users_out() -> None:
    light = recorded(NODE)
    before = os.umask(0o077)
    try:
        container.prepare(light)
    finally:
        os.umask(before)
    for folder in (light.disk, light.disk / "etc", light.disk / "etc/ssh", light.packages):
        assert folder.stat().st_mode & 0o777 == 0o755, folder


@pytest.mark.parametrize(("under_systemd", "keeps"), [(True, False), (False, True)])
def test_only_a_computer_without_systemd_keeps_the_container_in_its_place(
    under_systemd: bool, keeps: bool
) -> None:
    line = container.command_line(NODE, under_systemd=under_systemd)
    assert line[:4] == ["unshare", "--mount", "--propagation", "private"]
    assert ("--keep-unit" in line) == keeps


def test_two_labs_containers_do_not_share_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    first = container.machine_name(NODE)
    monkeypatch.setenv("FLIGHTLINE_LAB_STATE", os.environ["FLIGHTLINE_LAB_STATE"] + "-2")
    assert container.machine_name(NODE) != first


@pytest.mark.parametrize("script", ["root.sh", "supervise.sh"])
def test_its_scripts_are_shell_that_dash_reads(script: str) -> None:
    text = (files("flightline.lab.light") / script).read_bytes()
    assert subprocess.run(["dash", "-n"], input=text, check=False).returncode == 0


def test_a_roots_name_says_suite_mirror_and_week() -> None:
    with freeze_time("2026-11-16"):
        names = {root.content_key(suite, MIRROR) for suite in ("bookworm", "trixie")}
        names.add(root.content_key("bookworm", Mirror("http://other.test/debian")))
    with freeze_time("2026-11-23"):
        names.add(root.content_key("bookworm", MIRROR))
    assert len(names) == 4


def test_older_roots_of_the_suite_go_unless_a_node_lies_over_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("bookworm-new", "bookworm-old", "bookworm-used", "trixie-old")
    for name in names:
        (root.roots() / name).mkdir()
    mounts = f"40 30 0:50 / /x rw - overlay light-node rw,lowerdir={root.roots()}/bookworm-used\n"
    monkeypatch.setattr(root, "_all_mounts", lambda: mounts)
    root._drop_others("bookworm", root.roots() / "bookworm-new")
    left = [name for name in names if (root.roots() / name).exists()]
    assert left == ["bookworm-new", "bookworm-used", "trixie-old"]


def test_downloaded_packages_stay_for_the_next_node_until_they_are_old() -> None:
    light = recorded(NODE)
    light.packages.mkdir()
    (light.packages / "new_1_amd64.deb").write_bytes(b"new")
    old = packages.shared("bookworm") / "old_1_amd64.deb"
    old.write_bytes(b"old")
    os.utime(old, (0, 0))
    packages.keep(light)
    assert [path.name for path in packages.shared("bookworm").iterdir()] == ["new_1_amd64.deb"]
    assert list(light.packages.iterdir()) == []


def test_without_root_it_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    not_root(monkeypatch)
    done = CliRunner().invoke(command, ["up", "--light"])
    assert done.exit_code == 2
    assert "takes root's rights; run the command as root" in done.stderr


def test_without_light_nodes_taking_them_down_takes_no_root(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    not_root(monkeypatch)
    assert fleet.down(lambda line: None) == []


def test_status_lists_light_nodes_beside_virtual_machines() -> None:
    recorded(RUNNING)
    done = CliRunner().invoke(command, ["status", "--format", "json"])
    (entry,) = json.loads(done.stdout)
    assert (done.exit_code, entry["name"], entry["origin"]) == (0, "light-1", "container")
    assert "light-1" in CliRunner().invoke(command, ["status"]).stdout


def test_a_deploy_of_the_whole_lab_leaves_light_nodes_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorded(RUNNING)
    monkeypatch.setattr(state, "nodes", lambda: [VIRTUAL])
    assert [name for name, _ in inventory.running_nodes()] == ["node-1"]


def test_a_named_light_node_comes_with_its_own_pinned_key(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(RUNNING)
    monkeypatch.setenv("FLIGHTLINE_LAB_NODES", "light-1")
    ((name, data),) = inventory.running_nodes()
    assert (name, data["ssh_port"]) == ("light-1", 2422)
    assert Path(data["ssh_known_hosts_file"]).is_file()


def test_a_lab_of_light_nodes_alone_says_how_they_are_worked_on() -> None:
    recorded(RUNNING)
    with pytest.raises(FlightlineError, match=r"only light nodes run \(light-1\).*_LAB_NODES"):
        inventory.running_nodes()
