"""A gateway without a memory sends requests to the slot that serves."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flightline.serving import layout, state
from flightline.serving.state import ServiceState
from flightline.serving.upstreams import Upstream
from roles.gateway import weights


def upstream(node: str) -> Upstream:
    return Upstream(node, "10.0.0.1", "chat", "tiny", (), 18000, None, "/health")


def told(active: layout.Letter) -> str:
    return state.dumps(ServiceState(model="tiny", active=active, a="1", b="2"))


def test_a_service_that_switched_gets_its_requests_in_slot_b() -> None:
    files = {"n1": told("b"), "n2": told("a"), "n3": ""}
    found = weights.learned([upstream(name) for name in files], lambda each: files[each.node])
    assert found.commands == (
        "set server model.tiny/n1.chat-b weight 100",
        "set server model.tiny/n1.chat-a weight 0",
    )
    assert found.is_all


def test_a_state_that_cannot_be_read_leaves_the_others_their_weights() -> None:
    files = {"n1": "{", "n2": told("b")}
    found = weights.learned([upstream(name) for name in files], lambda each: files[each.node])
    assert all("n2.chat" in each for each in found.commands)
    assert (len(found.commands), found.is_all) == (2, False)


def test_a_node_that_does_not_answer_leaves_the_gateway_with_something_to_learn() -> None:
    files = {"n1": told("b"), "n2": None}
    found = weights.learned([upstream(name) for name in files], lambda each: files[each.node])
    assert (len(found.commands), found.is_all) == (2, False)
    assert "rm" not in weights.script(found)


@pytest.mark.parametrize("host", [None, SimpleNamespace(connected=False)])
def test_a_node_outside_this_run_is_not_asked(host: Any) -> None:
    assert weights.ask_by(lambda _: host)(upstream("n1")) is None


@pytest.mark.parametrize(
    ("is_fresh", "given"), [(True, "set server x/y weight 100\n"), (False, "")]
)
def test_only_a_fresh_gateway_is_given_weights(tmp_path: Path, is_fresh: bool, given: str) -> None:
    control, fresh, said = tmp_path / "ctl", tmp_path / "fresh", tmp_path / "said"
    control.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {said}\n')
    control.chmod(0o755)
    if is_fresh:
        fresh.touch()
    script = weights.script(weights.Learned(("set server x/y weight 100",), is_all=True))
    moved = script.replace(layout.GATEWAY_CTL, str(control)).replace(weights.FRESH, str(fresh))
    subprocess.run(["dash", "-c", moved], check=True)
    assert (said.read_text() if said.exists() else "") == given
    assert not fresh.exists()


def test_a_gateway_that_does_not_answer_stays_fresh_and_fails(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    fresh.touch()
    moved = weights.script(weights.Learned(("x",), is_all=True)).replace(
        layout.GATEWAY_CTL, "false"
    )
    done = subprocess.run(["dash", "-c", moved.replace(weights.FRESH, str(fresh))], check=False)
    assert done.returncode != 0
    assert fresh.exists()
