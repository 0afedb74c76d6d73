"""A switch that is interrupted anywhere leaves a served model, and can be resumed and undone."""

from __future__ import annotations

import contextlib
import functools
import re

import pytest

from flightline.errors import FlightlineError
from flightline.serving.switch.modes import Wish
from flightline.serving.switch.node import Lost, Refused
from flightline.serving.switch.outcome import Outcome
from flightline.serving.switch.plan import Plan
from flightline.serving.switch.steps import Mode
from tests.unit.serving.switch.simulated import Died, World

PLAN = Plan("v2", Mode.SIDE_BY_SIDE, (), canary=(10, 100), hold_seconds=4)
SITES = {
    "one service": (["node-1/chat"], ["node-1"], 64, Wish()),
    "three services, two gateways": (
        ["node-1/chat", "node-2/chat", "node-2/second"],
        ["node-1", "node-3"],
        64,
        Wish(),
    ),
    "node by node": (["node-1/chat", "node-2/chat"], ["node-1", "node-2"], 1, Wish()),
    "downtime": (["node-1/chat"], ["node-1"], 1, Wish(downtime=True)),
}


def world_of(site: str) -> tuple[World, Wish]:
    services, gateways, gib, wish = SITES[site]
    return World(services, gateways, memory_kib=gib * 1024 * 1024), wish


def switched(world: World, wish: Wish | None = None, plan: Plan = PLAN) -> Outcome:
    return world.run_of().switch(plan, wish or Wish())


@functools.cache
def commands_of(site: str) -> int:
    world, wish = world_of(site)
    assert switched(world, wish).verdict == "switched"
    return world.commands


def refuse_unsettled(world: World, site: str) -> None:
    """What must be so whenever nothing is under way."""
    for key in world.services:
        state = world.state(key)
        assert state.switching is None, (site, key, state)
        for letter in ("a", "b"):
            wanted = 100 if letter == state.active else 0
            seen = {each[world.server(key, letter)] for each in world.weights.values()}
            assert seen == {wanted}, (site, key, letter, seen)
            held = state.version("a" if letter == "a" else "b")
            slot = world.slots[key]["a" if letter == "a" else "b"]
            assert (slot.unit == "active", slot.is_enabled) == (held is not None,) * 2
            assert held is None or slot.version == held


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
    world.watch = lambda: _must_serve(world)
    switched(world, wish)
    assert world.cut == []


def _must_serve(world: World) -> None:
    assert world.serves(), (world.weights, world.slots)


@pytest.mark.parametrize("back", ["resume", "undo"])
@pytest.mark.parametrize("how", ["dies", "lost before", "lost after", "ctrl-c"])
@pytest.mark.parametrize("site", SITES)
def test_an_interruption_at_any_command_leaves_a_served_model(
    site: str, how: str, back: str
) -> None:
    # the largest site takes long: there, what is tried at every command is one way of three
    stride = 5 if len(SITES[site][0]) > 2 and how != "lost before" else 1
    for number in range(1, commands_of(site) + 1, stride):
        world, wish = world_of(site)
        if site != "downtime":
            world.watch = functools.partial(_must_serve, world)
        world.interrupt = functools.partial(_interrupt, number, how)
        _begun(world, wish)
        _back(world, back)
        assert world.cut == [], (number, world.log)
        refuse_unsettled(world, f"{site} {how} {number}")
        assert len(world.versions()) == 1


def _interrupt(number: int, how: str, now: int, node: str, at: str) -> None:
    """Interrupt at one command; "lost after": it did its work, and nobody heard of it."""
    if now == number and at == ("after" if how == "lost after" else "before"):
        if how.startswith("lost"):
            raise Lost(node, "the connection was lost")
        raise Died if how == "dies" else KeyboardInterrupt


def _begun(world: World, wish: Wish) -> None:
    with contextlib.suppress(Died, KeyboardInterrupt, Refused):
        switched(world, wish)


def _back(world: World, back: str) -> None:
    if all(world.state(key).switching is None for key in world.services):
        return  # it had not begun, it had ended, or it went back by itself
    run = world.run_of()
    try:
        outcome = run.resume(PLAN) if back == "resume" else run.undo(PLAN)
    except Refused as refused:  # the old version is gone on some node: there is a way on
        assert "--resume" in refused.message
        outcome = run.resume(PLAN)
    else:
        was_undone = outcome.verdict == "undone"
        assert world.versions() == ({"v1"} if was_undone else {"v2"})
        assert back == "resume" or was_undone
    assert outcome.exit_code == 0, outcome


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
    world.watch = lambda: _must_serve(world)
    before = world.commands
    outcome = world.run_of().rollback(PLAN)
    assert outcome.exit_code == 0
    assert world.versions() == {"v1"}
    assert world.state("node-1/chat").standby == "v2"
    refuse_unsettled(world, "rollback")
    assert world.commands > before


def test_a_standby_is_retired_and_its_slot_is_free() -> None:
    world, _ = world_of("one service")
    switched(world)
    assert world.run_of().retire().verdict == "retired"
    assert world.state("node-1/chat").standby is None
    refuse_unsettled(world, "retired")
    with pytest.raises(Refused, match="no standby"):
        world.run_of().rollback(PLAN)


def test_no_second_switch_begins_while_one_is_under_way() -> None:
    world, wish = world_of("one service")
    world.interrupt = functools.partial(_interrupt, commands_of("one service") // 2, "dies")
    _begun(world, wish)
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
    assert world.run_of().undo(PLAN).verdict == "undone"
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
    outcome = world.run_of().switch(PLAN, wish, dry_run=True)
    assert "node-by-node" in outcome.sentence
    assert "does not fit in memory" in outcome.sentence
    assert (world.states, outcome.exit_code) == (before, 0)


def test_nothing_is_done_where_the_version_serves_already() -> None:
    world, _ = world_of("one service")
    with pytest.raises(FlightlineError, match="no switch is under way"):
        world.run_of().undo(PLAN)
    assert switched(world, plan=Plan("v1", Mode.SIDE_BY_SIDE, ())).verdict == "unchanged"


def test_a_third_version_takes_the_slot_of_the_standby() -> None:
    world, _ = world_of("one service")
    switched(world)
    outcome = switched(world, plan=Plan("v3", Mode.SIDE_BY_SIDE, (), canary=(100,), hold_seconds=0))
    assert outcome.verdict == "switched", outcome
    assert (world.versions(), world.state("node-1/chat").standby) == ({"v3"}, "v2")
    refuse_unsettled(world, "third")
