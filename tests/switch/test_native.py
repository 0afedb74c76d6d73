"""Switches on this computer, through real HAProxy, under load: no request fails, none is cut."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flightline.serving.switch.gates import Limits
from flightline.serving.switch.golden import Prompt, Prompts
from flightline.serving.switch.modes import Wish
from flightline.serving.switch.plan import Plan
from flightline.serving.switch.steps import Mode
from tests.switch.rig import Rig, port_of
from tests.switch.traffic import traffic

pytestmark = pytest.mark.skipif(
    not (shutil.which("haproxy", path="/usr/sbin:/usr/bin") and shutil.which("socat")),
    reason="needs haproxy and socat: `apt-get install haproxy socat`",
)

# this computer may be busy with other tests: small differences are no reason to go back
BUSY = Limits(ttft_floor_seconds=1.0)
GOLDEN = Prompts(prompts=(Prompt(prompt="Say the word.", contains=("word",), max_seconds=10),))
PLAN = Plan("v2", Mode.SIDE_BY_SIDE, (), canary=(10, 50, 100), hold_seconds=3, prompts=GOLDEN,
            limits=BUSY, ready_seconds=60, drain_seconds=30)  # fmt: skip
REQUESTS = 500


@pytest.fixture
def rig_of(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def make(nodes: tuple[str, ...] = ("node-1",), gateways: tuple[str, ...] = ("node-1",)) -> Rig:
        rig = Rig(tmp_path, nodes, gateways)
        rigs.append(rig)
        rig.publish("v1")
        rig.publish("v2", start_seconds=1.0)
        rig.up("v1")
        return rig

    yield make
    for each in rigs:
        each.down()


def weights(rig: Rig, gateway: int = 0) -> dict[str, int]:
    fleet = rig.run().fleet
    seen = fleet.servers(fleet.targets.gateways[gateway])
    return {name: each.weight for name, each in seen.items()}


def until(seconds: float, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_switch_and_its_rollback_under_load_lose_nothing(rig_of: Callable[..., Rig]) -> None:
    rig = rig_of()
    with traffic([port_of(rig.gateways[0])]) as seen:
        outcome = rig.run().switch(PLAN, Wish())
        assert outcome.verdict == "switched", outcome
        until(60, lambda: seen.requests >= REQUESTS)
        assert weights(rig) == {"node-1.chat-a": 0, "node-1.chat-b": 100}
        before = seen.answered["v1"]
        back = rig.run().rollback(PLAN)
        assert back.exit_code == 0, back
        until(60, lambda: seen.answered["v1"] >= before + 100)
    assert seen.failures == []
    assert seen.answered["v2"] > 50
    assert seen.streamed > 100


def test_a_switch_node_by_node_through_two_gateways_loses_nothing(
    rig_of: Callable[..., Rig],
) -> None:
    rig = rig_of(("node-1", "node-2"), ("node-1", "node-2"))
    with traffic([port_of(each) for each in rig.gateways]) as seen:
        outcome = rig.run().switch(PLAN, Wish(node_by_node=True))
        assert outcome.verdict == "switched", outcome
        assert outcome.mode == "node-by-node"
        until(60, lambda: seen.requests >= REQUESTS)
    assert seen.failures == []
    assert set(seen.answered) == {"v1", "v2"}


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        ({"answer": "rubbish"}, "golden prompts"),
        ({"first_seconds": 2.0}, "time to first token"),
    ],
)
def test_a_failed_gate_under_load_goes_back_and_loses_nothing(
    rig_of: Callable[..., Rig], behaviour: dict[str, float | str], sentence: str
) -> None:
    rig = rig_of()
    rig.publish("v3", **behaviour)
    with traffic([port_of(rig.gateways[0])]) as seen:
        plan = replace(PLAN, to="v3", canary=(20, 100), hold_seconds=4)
        outcome = rig.run().switch(plan, Wish())
        until(60, lambda: seen.requests >= REQUESTS)
    assert (outcome.verdict, outcome.exit_code) == ("rolled back", 1), outcome
    assert sentence in outcome.sentence
    assert seen.failures == []
    assert weights(rig) == {"node-1.chat-a": 100, "node-1.chat-b": 0}
    asked = "systemctl is-active flightline-engine@chat-b.service"
    assert rig.nodes["node-1"].run(asked)[1] == "inactive\n"


def test_errors_of_the_new_version_send_requests_back(rig_of: Callable[..., Rig]) -> None:
    rig = rig_of()
    rig.publish("v3", fails=0.3)
    plan = replace(PLAN, to="v3", canary=(20, 100), hold_seconds=20)
    with traffic([port_of(rig.gateways[0])]) as seen:
        outcome = rig.run().switch(plan, Wish())
    assert outcome.verdict == "rolled back", outcome
    # the version may also fail the golden prompt itself, three times in ten
    assert "error rate" in outcome.sentence or "status 500" in outcome.sentence
    assert all(each.startswith("status 500") for each in seen.failures), seen.failures


def test_an_engine_that_dies_as_a_canary_costs_only_its_own_streams(
    rig_of: Callable[..., Rig],
) -> None:
    rig = rig_of()
    plan = replace(PLAN, canary=(50, 100), hold_seconds=20)
    with traffic([port_of(rig.gateways[0])]) as seen:
        killer = threading.Thread(target=lambda: _kill_at(rig, 50))
        killer.start()
        outcome = rig.run().switch(plan, Wish())
        killer.join()
        until(60, lambda: seen.requests >= REQUESTS)
    assert outcome.verdict == "rolled back", outcome
    assert "readiness" in outcome.sentence or "error rate" in outcome.sentence
    # an answer that had begun cannot be given by another engine; all others were
    assert all("IncompleteRead" in each or "cut" in each for each in seen.failures), seen.failures
    assert len(seen.failures) <= 8  # what 8 clients can have under way at one moment


def _kill_at(rig: Rig, weight: int) -> None:
    until(60, lambda: weights(rig)["node-1.chat-b"] == weight)
    time.sleep(1)
    rig.kill_engine("node-1/chat", "b")


def test_weights_survive_a_reload_in_the_middle_and_nothing_is_lost(
    rig_of: Callable[..., Rig],
) -> None:
    rig = rig_of()
    reloads: list[dict[str, int]] = []

    def reload() -> None:
        until(60, lambda: weights(rig)["node-1.chat-b"] == 50)
        rig.reload("node-1")
        time.sleep(1)
        reloads.append(weights(rig))

    with traffic([port_of(rig.gateways[0])]) as seen:
        reloader = threading.Thread(target=reload)
        reloader.start()
        outcome = rig.run().switch(PLAN, Wish())
        reloader.join()
        until(60, lambda: seen.requests >= REQUESTS)
    assert outcome.verdict == "switched", outcome
    assert reloads == [{"node-1.chat-a": 50, "node-1.chat-b": 50}]
    assert seen.failures == []


def test_a_lost_connection_goes_back_or_waits_and_undo_brings_the_old_version(
    rig_of: Callable[..., Rig],
) -> None:
    rig = rig_of()

    def lose() -> None:
        until(60, lambda: weights(rig)["node-1.chat-b"] == 50)
        rig.nodes["node-1"].is_lost = True

    with traffic([port_of(rig.gateways[0])]) as seen:
        loser = threading.Thread(target=lose)
        loser.start()
        outcome = rig.run().switch(PLAN, Wish())
        loser.join()
        assert outcome.verdict == "stopped", outcome
        before = seen.requests
        until(60, lambda: seen.requests >= before + 100)
        rig.nodes["node-1"].is_lost = False
        assert rig.run().undo(PLAN).verdict == "undone"
        until(60, lambda: seen.requests >= REQUESTS)
    assert seen.failures == []
    assert weights(rig) == {"node-1.chat-a": 100, "node-1.chat-b": 0}


def test_without_clients_golden_prompts_through_the_gateway_decide(
    rig_of: Callable[..., Rig],
) -> None:
    rig = rig_of()
    told: list[str] = []
    quiet = replace(PLAN, key="a-key", hold_seconds=0)
    assert rig.run(told).switch(quiet, Wish()).verdict == "switched"
    assert any("too few requests" in each for each in told)
    counted = rig.run().fleet.servers(rig.gateways[0])["node-1.chat-b"].counters.requests
    assert counted >= 6  # two and more at each of the three steps
