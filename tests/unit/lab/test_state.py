"""What is recorded of nodes outlives commands, and pins every node's host key."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from flightline.errors import FlightlineError
from flightline.lab import fleet, keys, machine, state
from flightline.lab.state import Node

NODE = Node(
    "node-1", "bookworm", 1, 2222, 3333, "/images/x", ("-accel", "tcg"), 2048, 2,
    pid=4_194_305, started=1, origin="clone", seconds=1.5,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _own_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLIGHTLINE_LAB_STATE", str(tmp_path / "state"))


def recorded(node: Node) -> Node:
    node.folder.mkdir(parents=True)
    keys.generate(node.folder / "host_key", f"root@{node.name}")
    state.record(node)
    return node


def test_a_record_is_read_back_as_written() -> None:
    assert state.node_named(recorded(NODE).name) == NODE


def test_a_record_from_before_nodes_had_gateways_is_still_read() -> None:
    node = recorded(replace(NODE, gateway_port=4444))
    path = node.folder / "node.json"
    fields = json.loads(path.read_text())
    del fields["gateway_port"]
    path.write_text(json.dumps(fields))
    assert state.node_named(node.name) == NODE


def test_a_process_that_is_gone_is_a_node_that_does_not_run() -> None:
    assert not recorded(NODE).is_running


def test_the_nodes_own_process_is_a_node_that_runs() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        node = recorded(replace(NODE, pid=process.pid, started=machine.started(process.pid)))
        assert node.is_running
        process.kill()


def test_the_host_key_is_pinned_as_openssh_reads_it() -> None:
    node = recorded(NODE)
    known = ["-f", str(state.known_hosts())]
    found = subprocess.run(
        ["ssh-keygen", "-F", "[127.0.0.1]:2222", *known], capture_output=True, text=True, check=True
    ).stdout
    assert keys.public(node.folder / "host_key").split()[1] in found


def test_keys_and_records_are_for_the_owner_alone() -> None:
    node = recorded(NODE)
    for name in ("host_key", "node.json"):
        assert (node.folder / name).stat().st_mode & 0o077 == 0


def test_an_unknown_node_is_answered_with_those_there_are() -> None:
    recorded(NODE)
    with pytest.raises(FlightlineError, match=r"no node 'node-9'; its nodes: node-1\."):
        state.node_named("node-9")


def test_a_node_that_has_not_answered_yet_is_not_ready() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        node = replace(NODE, pid=process.pid, started=machine.started(process.pid))
        assert node.is_ready
        assert not replace(node, seconds=0).is_ready
        process.kill()


def test_nodes_recorded_at_the_same_time_are_all_pinned() -> None:
    many = [replace(NODE, name=f"node-{n}", number=n, ssh_port=2000 + n) for n in range(1, 13)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(recorded, many))
    pinned = state.known_hosts().read_text()
    assert all(f"[127.0.0.1]:{node.ssh_port} " in pinned for node in many)


def test_a_damaged_record_is_named_with_the_way_out() -> None:
    node = recorded(NODE)
    (node.folder / "node.json").write_text("{")
    with pytest.raises(FlightlineError, match=r"node\.json is not a node's record.*lab up"):
        state.nodes()


def test_no_two_nodes_of_any_suite_share_a_name_or_an_address() -> None:
    both = [(suite, n) for suite in state.PREFIXES for n in range(1, fleet.NODES_MAX + 1)]
    for of in (state.name_of, state.address_of, state.mac_of):
        assert len({of(suite, number) for suite, number in both}) == len(both)
