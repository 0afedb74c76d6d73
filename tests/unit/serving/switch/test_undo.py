"""Going back while something else is wrong, too."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable

import pytest

from flightline.serving import state as states
from flightline.serving.state import ServiceState
from flightline.serving.switch.modes import Wish
from flightline.serving.switch.node import Failed, Refused
from tests.unit.serving.switch.simulated import Died, run_of
from tests.unit.serving.switch.sites import (
    PLAN,
    commands_of,
    interrupt,
    must_serve,
    refuse_unsettled,
    switched,
    world_of,
)
from tests.unit.serving.switch.world import GIB, MODEL, Slot, World


def died_at(site: str, step: str) -> World:
    world, wish = world_of(site)
    return died_in(world, wish, step)


def died_in(world: World, wish: Wish, step: str) -> World:
    """Return the world, whose switch ended without a word when a service had recorded a step."""
    return died_when(world, wish, lambda: step in _steps(world))


def died_when(world: World, wish: Wish, is_so: Callable[[], bool]) -> World:
    def watch() -> None:
        if is_so():
            raise Died

    world.watch = watch
    with contextlib.suppress(Died):
        switched(world, wish)
    world.watch = lambda: None
    return world


def _steps(world: World) -> list[str]:
    """Return the step that each service under way has recorded."""
    held = [world.state(key).switching for key in world.services]
    return [each.step for each in held if each is not None]


@pytest.mark.parametrize("site", ["node by node", "downtime"])
def test_gateways_that_lag_do_not_decide_whether_an_old_engine_runs(site: str) -> None:
    for number in range(1, commands_of(site) + 1):
        world, wish = world_of(site)
        world.is_lagging = True
        world.interrupt = functools.partial(interrupt, number, "dies")
        with contextlib.suppress(Died):
            switched(world, wish)
        if site != "downtime":
            world.watch = functools.partial(must_serve, world)
        if any(world.state(key).switching for key in world.services):
            with contextlib.suppress(Refused):  # the old version is gone on some node
                assert run_of(world).undo(PLAN).verdict == "undone", number
        if any(world.state(key).switching for key in world.services):
            assert run_of(world).resume(PLAN).verdict == "switched", number
        refuse_unsettled(world, f"{site} {number}")
        assert len(world.versions()) == 1
        assert world.cut == []


@pytest.mark.parametrize("site", ["one service", "downtime"])
def test_an_old_engine_that_ended_gets_no_weight_before_it_runs_again(site: str) -> None:
    world = died_at(site, "flip")
    slot = world.slots["node-1/chat"]["a"]
    slot.unit, slot.was_up, world.is_lagging = "failed", True, True
    world.watch = functools.partial(_no_weight_on_the_dead, world)
    assert run_of(world).undo(PLAN).verdict == "undone"
    refuse_unsettled(world, site)


def _no_weight_on_the_dead(world: World) -> None:
    weights = world.weights["node-1"]
    assert not weights["node-1.chat-a"] or world.is_up("node-1.chat-a"), weights


def test_a_gateway_that_does_not_answer_keeps_no_other_from_its_weights() -> None:
    world = died_at("three services, two gateways", "drain")
    world.silent.add("node-1")
    outcome = run_of(world).undo(PLAN)
    assert outcome.verdict == "stopped"
    assert "node-1: the gateway gives no answer" in outcome.sentence
    for key in world.services:
        shown = [world.weights["node-3"][world.server(key, letter)] for letter in "ab"]
        assert shown == [100, 0]
        assert world.is_up(world.server(key, "b"))  # the silent one may send it requests
    world.silent.clear()
    assert run_of(world).undo(PLAN).verdict == "undone"
    refuse_unsettled(world, "it answers again")


def test_weights_reach_every_gateway_but_the_one_that_fails() -> None:
    world, _ = world_of("three services, two gateways")
    world.silent.add("node-1")
    fleet = run_of(world).fleet
    with pytest.raises(Failed, match="node-1: the gateway gives no answer"):
        fleet.weigh(fleet.targets.service("node-2/chat"), (("b", 10), ("a", 90)))
    shown = [world.weights["node-3"][f"node-2.chat-{letter}"] for letter in "ab"]
    assert shown == [90, 10]


def test_weights_go_back_before_evidence_is_collected() -> None:
    world, _ = world_of("three services, two gateways")
    world.failing.add("v2")
    seen: list[bool] = []

    def watch() -> None:
        if "journalctl" in world.log[-1]:
            new = [world.server(key, "b") for key in world.services]
            seen.append(all(each[name] == 0 for each in world.weights.values() for name in new))
            assert all(world.is_up(name) for name in new)

    world.watch = watch
    outcome = switched(world)
    assert outcome.verdict == "rolled back"
    assert seen == [True] * len(world.services)
    assert sum("last words" in text for text in outcome.evidence.values()) == len(seen)


@pytest.mark.parametrize("later", ["undo", "rollback", "resume"])
@pytest.mark.parametrize("step", ["begin", "prepare", "canary-10", "flip"])
@pytest.mark.parametrize("exclusive", [False, True])
def test_a_lost_engine_node_keeps_no_other_from_going_back(
    exclusive: bool, step: str, later: str
) -> None:
    services = ["node-1/chat", "node-2/chat", "node-2/second"]
    gib = 1 if exclusive else 64
    world = died_in(World(services, ["node-3"], memory_kib=gib * GIB), Wish(), step)
    under_way = world.state("node-1/chat").switching
    assert under_way
    assert under_way.mode == ("node-by-node" if exclusive else "side-by-side")
    world.dead.add("node-2")
    outcome = run_of(world).undo(PLAN)
    assert (outcome.verdict, outcome.exit_code) == ("stopped", 1)
    assert "node-2 stopped answering" in outcome.sentence
    assert "bring it back or take it out of the inventory" in outcome.sentence
    assert (world.state("node-1/chat").serving, world.is_up("node-1.chat-b")) == ("v1", False)
    assert world.weights["node-3"]["node-1.chat-a"] == 100
    world.dead.clear()
    assert getattr(run_of(world), later)(PLAN).verdict == "undone"
    refuse_unsettled(world, later)
    assert (world.versions(), world.cut) == ({"v1"}, [])


def test_a_lost_node_may_be_taken_out_of_the_inventory() -> None:
    world = died_in(World(["node-1/chat", "node-2/chat"], ["node-3"]), Wish(), "canary-10")
    world.dead.add("node-2")
    assert run_of(world).undo(PLAN).verdict == "stopped"
    world.services.remove("node-2/chat")
    assert run_of(world).undo(PLAN).verdict == "undone"
    refuse_unsettled(world, "node-2 is gone")


def test_a_switch_whose_node_is_lost_goes_back_on_all_others_by_itself() -> None:
    world = World(["node-1/chat", "node-2/chat"], ["node-3"])
    world.watch = lambda: world.dead.update(
        ["node-2"] if world.weights["node-3"]["node-2.chat-b"] else []
    )
    outcome = switched(world)
    assert outcome.verdict == "stopped"
    assert world.state("node-1/chat").serving == "v1"
    assert world.weights["node-3"] == {
        "node-1.chat-a": 100, "node-1.chat-b": 0, "node-2.chat-a": 100, "node-2.chat-b": 0,
    }  # fmt: skip
    world.dead.clear()
    world.watch = lambda: None
    assert run_of(world).resume(PLAN).verdict == "undone"
    refuse_unsettled(world, "node-2 is back")


@pytest.mark.parametrize("begun", [False, True])
def test_nothing_is_undone_where_a_lost_node_may_have_ended_the_switch(begun: bool) -> None:
    world = World(["node-1/chat", "node-2/chat"], ["node-3"])
    if begun:
        died_when(world, Wish(), lambda: _steps(world) == ["finish", "finish"])
    before = dict(world.states)
    world.dead.add("node-2")
    for undo in (run_of(world).undo, run_of(world).rollback):
        with pytest.raises(Refused, match=r"node-2 stopped answering.*try again when it is back"):
            undo(PLAN)
    assert world.states == before


def test_a_node_that_had_finished_and_is_lost_in_the_undoing_goes_back_later() -> None:
    world = World(["node-1/chat", "node-2/chat"], ["node-3"])
    died_when(world, Wish(), lambda: _steps(world) == ["finish"])
    assert world.state("node-1/chat").switching is None
    world.watch = lambda: world.dead.update(
        ["node-1"] if world.weights["node-3"]["node-1.chat-a"] else []
    )
    assert run_of(world).undo(PLAN).verdict == "stopped"
    assert [world.state(key).serving for key in world.services] == ["v2", "v1"]
    world.dead.clear()
    world.watch = lambda: None
    assert run_of(world).undo(PLAN).verdict == "undone"
    refuse_unsettled(world, "node-1 is back")
    assert world.versions() == {"v1"}


def _moves_all_but_the_first() -> World:
    """Return a world with a service that served v2 before the switch to v2, beside a standby."""
    world = World(["node-1/chat", "node-2/chat", "node-3/chat"], ["node-4"])
    state = ServiceState(model=MODEL, active="a", a="v2", b="v0")
    world.states["node-1/chat"] = states.dumps(state)
    world.slots["node-1/chat"] = {"a": Slot("active", "v2", True), "b": Slot("active", "v0", True)}
    return world


@pytest.mark.parametrize("lets_go", [False, True])
def test_an_undo_leaves_services_alone_that_the_switch_did_not_move(lets_go: bool) -> None:
    world = _moves_all_but_the_first()
    left = ["finish"] if lets_go else ["finish", "finish"]  # it ended on one of two, or on none
    died_when(world, Wish(), lambda: _steps(world) == left)
    assert _steps(world) == left
    before = world.states["node-1/chat"]
    assert run_of(world).undo(PLAN).verdict == "undone"
    assert world.states["node-1/chat"] == before
    assert [world.state(f"node-{n}/chat").serving for n in (2, 3)] == ["v1", "v1"]
    refuse_unsettled(world, "all but the first")


def test_a_state_that_names_no_services_is_undone_as_before() -> None:
    world = died_at("three services, two gateways", "canary-10")
    for key in world.services:
        state = world.state(key)
        assert state.switching is not None
        older = state.switching.model_copy(update={"services": ()})
        world.states[key] = states.dumps(state.model_copy(update={"switching": older}))
    assert run_of(world).undo(PLAN).verdict == "undone"
    refuse_unsettled(world, "older")
