"""`flightline lab` answers bad use in one sentence, and says by its exit code how the lab is."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flightline.commands.lab import command
from flightline.lab import machine, state
from flightline.lab.serving import Offer, offer
from flightline.lab.serving.offer import Daemon
from flightline.lab.state import Node

NODE = Node(
    "node-1", "bookworm", 1, 2222, 3333, "/images/x", ("-accel", "tcg"), 2048, 2,
    pid=os.getpid(), started=machine.started(os.getpid()), origin="clone", seconds=1.5,
)  # fmt: skip
STOPPED = replace(NODE, name="node-2", number=2, started=None)


@pytest.fixture(autouse=True)
def _own_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLIGHTLINE_LAB_STATE", str(tmp_path / "state"))


def lab(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_an_empty_lab_is_undecided() -> None:
    done = lab("status", "--format", "json")
    assert (done.exit_code, json.loads(done.stdout)) == (2, [])


@pytest.mark.parametrize(("nodes", "code"), [([NODE], 0), ([NODE, STOPPED], 1)])
def test_the_exit_code_says_whether_all_run(
    nodes: list[Node], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "nodes", lambda: nodes)
    done = lab("status", "--format", "json")
    assert done.exit_code == code
    assert [entry["running"] for entry in json.loads(done.stdout)] == [True, False][: len(nodes)]


@pytest.mark.parametrize("verb", ["ssh", "reset"])
def test_an_unknown_node_is_named(verb: str) -> None:
    done = lab(verb, "node-9")
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: the lab has no node 'node-9'; its nodes: none")


def test_a_node_that_does_not_run_is_not_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "nodes", lambda: [STOPPED])
    done = lab("ssh", "node-2")
    assert done.exit_code == 2
    assert "node-2 does not run; run `flightline lab reset node-2`" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("--all", "node-1")])
def test_reset_wants_names_or_all_and_not_both(arguments: tuple[str, ...]) -> None:
    done = lab("reset", *arguments)
    assert done.exit_code == 2
    assert "name the nodes to reset, or give --all" in done.stderr


@pytest.mark.parametrize("count", ["0", "33", "two"])
def test_a_number_of_nodes_out_of_bounds_is_refused(count: str) -> None:
    assert lab("up", "--nodes", count).exit_code == 2


def test_more_nodes_than_memory_are_refused_with_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flightline.lab.fleet.NODE_USE_MIB", 60_000)
    done = lab("up", "--nodes", "32", "--memory-mib", "65536")
    assert done.exit_code == 2
    assert "ask for at most" in done.stderr


def test_status_says_what_is_offered_and_that_it_does_not_run() -> None:
    offer.write(Offer(Daemon(5001), Daemon(8001), "engine", "sha256:0", "tiny", {"1": "0"}))
    said = lab("status").stderr
    assert "10.0.2.2:5001/engine@sha256:0" in said
    assert "does not run, `flightline lab serve` starts it" in said


def test_serve_without_its_programs_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flightline.lab.programs.SEARCHED", "/nowhere")
    done = lab("serve")
    assert done.exit_code == 2
    assert "apt-get install docker-registry nginx skopeo umoci" in done.stderr


def test_down_takes_back_what_is_offered() -> None:
    offer.write(Offer(Daemon(5001), Daemon(8001), "engine", "sha256:0", "tiny", {"1": "0"}))
    assert lab("down").exit_code == 0
    assert not offer.record().exists()
