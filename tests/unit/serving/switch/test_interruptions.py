"""A switch that is interrupted anywhere leaves a served model, and can be resumed and undone."""

from __future__ import annotations

import contextlib
import functools

import pytest

from flightline.serving.switch.modes import Wish
from flightline.serving.switch.node import Refused
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


@pytest.mark.parametrize("back", ["resume", "undo"])
@pytest.mark.parametrize("how", ["dies", "lost before", "lost after", "ctrl-c"])
@pytest.mark.parametrize("site", SITES)
def test_aninterruption_at_any_command_leaves_a_served_model(
    site: str, how: str, back: str
) -> None:
    # the largest site takes long: there, what is tried at every command is one way of three
    stride = 5 if len(SITES[site][0]) > 2 and how != "lost before" else 1
    for number in range(1, commands_of(site) + 1, stride):
        world, wish = world_of(site)
        if site != "downtime":
            world.watch = functools.partial(must_serve, world)
        world.interrupt = functools.partial(interrupt, number, how)
        _begun(world, wish)
        _back(world, back)
        assert world.cut == [], (number, world.log)
        refuse_unsettled(world, f"{site} {how} {number}")
        assert len(world.versions()) == 1


def _back(world: World, back: str) -> None:
    if all(world.state(key).switching is None for key in world.services):
        return  # it had not begun, it had ended, or it went back by itself
    run = run_of(world)
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


def _begun(world: World, wish: Wish) -> None:
    with contextlib.suppress(Died, KeyboardInterrupt, Refused):
        switched(world, wish)
