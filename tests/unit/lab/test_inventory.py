"""The inventory gives the nodes that run, or says in one sentence why it cannot."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from flightline.errors import FlightlineError
from flightline.lab import inventory, machine, state
from flightline.lab.state import Node

NODE = Node(
    "node-1", "bookworm", 1, 2222, 3333, "/images/x", ("-accel", "tcg"), 2048, 2,
    pid=os.getpid(), started=machine.started(os.getpid()), origin="clone", seconds=1.5,
)  # fmt: skip
TWO = [NODE, replace(NODE, name="node-2", number=2, ssh_port=2223)]


@pytest.fixture(autouse=True)
def _own_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLIGHTLINE_LAB_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FLIGHTLINE_LAB_NODES", raising=False)


def test_no_running_lab_is_one_sentence() -> None:
    with pytest.raises(FlightlineError, match="no lab nodes are running; run `flightline lab up`"):
        inventory.running_nodes()


def test_every_running_node_comes_with_its_key_and_its_pinned_host_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state, "nodes", lambda: TWO)
    hosts = dict(inventory.running_nodes())
    assert [data["ssh_port"] for data in hosts.values()] == [2222, 2223]
    assert all(data["ssh_strict_host_key_checking"] == "yes" for data in hosts.values())
    assert Path(hosts["node-1"]["ssh_key"]).is_file()


def test_every_virtual_node_says_where_other_nodes_reach_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state, "nodes", lambda: TWO)
    addresses = [data["serving_address"] for _, data in inventory.running_nodes()]
    assert addresses == ["10.88.0.11", "10.88.0.12"]


def test_the_variable_limits_the_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "nodes", lambda: TWO)
    monkeypatch.setenv("FLIGHTLINE_LAB_NODES", "node-2")
    assert [name for name, _ in inventory.running_nodes()] == ["node-2"]


def test_a_named_node_that_does_not_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "nodes", lambda: TWO)
    monkeypatch.setenv("FLIGHTLINE_LAB_NODES", "node-7")
    with pytest.raises(
        FlightlineError, match=r"'node-7', which does not run; running: node-1, node-2"
    ):
        inventory.running_nodes()
