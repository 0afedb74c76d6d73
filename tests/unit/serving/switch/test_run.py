"""What a switch does on simulated nodes, and what it leaves."""

from __future__ import annotations

import contextlib
import functools
import re

import pytest

from flightline.errors import FlightlineError
from flightline.serving.switch.node import Refused
from flightline.serving.switch.plan import Plan
from flightline.serving.switch.steps import Mode
from tests.unit.serving.switch.simulated import Died, run_of
from tests.unit.serving.switch.sites import (
    PLAN,
    SITES,
    commands_of,
    interrupt,
    must_serve,
    refuse_unsettled,
    switched,
    world_of,
)
from tests.unit.serving.switch.world import World


@pytest.mark.parametrize("site", SITES)
def test_a_switch_serves_the_new_version_everywhere(site: str) -> None:
    world, wish = world_of(site)
    outcome = switched(world, wish)
    assert (outcome.verdict, outcome.exit_code) == ("switched", 0)
    assert world.versions() == {"v2"}
    assert set(world.links.values()) == {"v2"}
    refuse_unsettled(world, site)


@pytest.mark.parametrize("site", [site for site in SITES if site != "downtime"])
def test_there_is_never_a_moment_without_an_engine(site: str) -> None:
    world, wish = world_of(site)
    world.watch = lambda: must_serve(world)
    switched(world, wish)
    assert world.cut == []


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("trouble", ["golden", "errors", "slow", "broken"])
def test_a_version_that_fails_a_gate_is_rolled_back(site: str, trouble: str) -> None:
    world, wish = world_of(site)
    if trouble == "golden":
        world.answers["v2"] = ""
    elif trouble == "errors":
        world.failing.add("v2")
    elif trouble == "slow":
        world.slow["v2"] = 1.0
    else:
        world.broken.add("v2")
    outcome = switched(world, wish)
    assert (outcome.verdict, outcome.exit_code) == ("rolled back", 1), outcome
    said = {
        "golden": "golden prompts: .*the answer is empty",
        "errors": "error rate: [0-9]+ of [0-9]+ requests",
        "slow": "time to first token: 1.000 s, the old version's is 0.050 s",
        "broken": "is not ready",
    }[trouble]
    assert re.search(said, outcome.sentence), outcome.sentence
    assert world.versions() == {"v1"}
    assert world.cut == []
    assert any("last words" in text for text in outcome.evidence.values())
    refuse_unsettled(world, site)


def test_the_version_before_stays_and_takes_over_at_once() -> None:
    world, _ = world_of("three services, two gateways")
    switched(world)
    world.watch = lambda: must_serve(world)
    before = world.commands
    outcome = run_of(world).rollback(PLAN)
    assert outcome.exit_code == 0
    assert world.versions() == {"v1"}
    assert world.state("node-1/chat").standby == "v2"
    refuse_unsettled(world, "rollback")
    assert world.commands > before


def test_a_standby_is_retired_and_its_slot_is_free() -> None:
    world, _ = world_of("one service")
    switched(world)
    assert run_of(world).retire().verdict == "retired"
    assert world.state("node-1/chat").standby is None
    refuse_unsettled(world, "retired")
    with pytest.raises(Refused, match="no standby"):
        run_of(world).rollback(PLAN)


def test_no_second_switch_begins_while_one_is_under_way() -> None:
    world, wish = world_of("one service")
    world.interrupt = functools.partial(interrupt, commands_of("one service") // 2, "dies")
    with contextlib.suppress(Died):
        switched(world, wish)
    with pytest.raises(Refused, match=r"under way since .*--resume.*--undo"):
        switched(world)


def test_a_gateway_that_cannot_be_reached_stops_it_before_anything_changes() -> None:
    world, wish = world_of("three services, two gateways")
    world.dead.add("node-3")
    before = dict(world.states)
    with pytest.raises(Refused, match="node-3"):
        switched(world, wish)
    assert world.states == before


def test_an_engine_goes_on_while_a_lost_gateway_may_still_send_it_requests() -> None:
    world, wish = world_of("three services, two gateways")
    world.failing.add("v2")
    world.watch = lambda: _lose_a_gateway_at_ten(world)
    outcome = switched(world, wish)
    assert outcome.verdict == "stopped"
    assert "--undo" in outcome.sentence
    assert world.weights["node-1"]["node-1.chat-b"] == 0
    assert world.weights["node-3"]["node-1.chat-b"] == 10
    assert world.is_up("node-1.chat-b")
    world.dead.clear()
    world.watch = lambda: None
    assert run_of(world).undo(PLAN).verdict == "undone"
    refuse_unsettled(world, "gateway is back")


def _lose_a_gateway_at_ten(world: World) -> None:
    weights = world.weights["node-3"]
    if all(weights[world.server(key, "b")] == 10 for key in world.services):
        world.dead.add("node-3")


def test_a_plan_that_cannot_keep_serving_is_refused_with_the_arithmetic() -> None:
    world, _ = world_of("downtime")
    sums = r"1.0 GiB of weights x 1.2 .* needed, 1.0 GiB available.*--downtime"
    with pytest.raises(Refused, match=sums):
        switched(world)
    assert world.log == [each for each in world.log if "systemctl start" not in each]


def test_a_dry_run_says_the_mode_and_why_and_changes_nothing() -> None:
    world, wish = world_of("node by node")
    before = dict(world.states)
    outcome = run_of(world).switch(PLAN, wish, dry_run=True)
    assert "node-by-node" in outcome.sentence
    assert "does not fit in memory" in outcome.sentence
    assert (world.states, outcome.exit_code) == (before, 0)


def test_nothing_is_done_where_the_version_serves_already() -> None:
    world, _ = world_of("one service")
    with pytest.raises(FlightlineError, match="no switch is under way"):
        run_of(world).undo(PLAN)
    assert switched(world, plan=Plan("v1", Mode.SIDE_BY_SIDE, ())).verdict == "unchanged"


def test_a_third_version_takes_the_slot_of_the_standby() -> None:
    world, _ = world_of("one service")
    switched(world)
    outcome = switched(world, plan=Plan("v3", Mode.SIDE_BY_SIDE, (), canary=(100,), hold_seconds=0))
    assert outcome.verdict == "switched", outcome
    assert (world.versions(), world.state("node-1/chat").standby) == ({"v3"}, "v2")
    refuse_unsettled(world, "third")


def test_a_lost_gateway_stops_a_resumption_before_anything_changes() -> None:
    world, wish = world_of("three services, two gateways")
    world.interrupt = functools.partial(interrupt, 150, "dies")
    with contextlib.suppress(Died):
        switched(world, wish)
    world.dead.add("node-3")
    before = (dict(world.states), {name: dict(each) for name, each in world.weights.items()})
    with pytest.raises(Refused, match="node-3 stopped answering"):
        run_of(world).resume(PLAN)
    assert before == (world.states, world.weights)
