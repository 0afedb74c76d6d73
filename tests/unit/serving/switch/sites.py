"""Sites to switch on, and what must be so whenever nothing is under way."""

from __future__ import annotations

import functools

from flightline.serving.switch.modes import Wish
from flightline.serving.switch.node import Lost
from flightline.serving.switch.outcome import Outcome
from flightline.serving.switch.plan import Plan
from flightline.serving.switch.steps import Mode
from tests.unit.serving.switch.simulated import Died, run_of
from tests.unit.serving.switch.world import World

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
    return run_of(world).switch(plan, wish or Wish())


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


def must_serve(world: World) -> None:
    assert world.serves(), (world.weights, world.slots)


def interrupt(number: int, how: str, now: int, node: str, at: str) -> None:
    """Interrupt at one command; "lost after": it did its work, and nobody heard of it."""
    if now == number and at == ("after" if how == "lost after" else "before"):
        if how.startswith("lost"):
            raise Lost(node, "the connection was lost")
        raise Died if how == "dies" else KeyboardInterrupt
