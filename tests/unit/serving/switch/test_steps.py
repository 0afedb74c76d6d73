"""The steps of a switch, and where an interrupted one goes on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.errors import FlightlineError
from flightline.serving.state import ServiceState, Switching, fresh
from flightline.serving.switch import steps
from flightline.serving.switch.steps import Kind, Mode

MODES = st.sampled_from(list(Mode))
KEYS = st.lists(st.sampled_from(["n1/c", "n2/c", "n3/c"]), min_size=1, unique=True)


def names(mode: Mode, *services: str) -> list[str]:
    return [step.name for step in steps.forward(mode, services, (10, 100))]


def test_side_by_side_goes_through_every_percent() -> None:
    assert names(Mode.SIDE_BY_SIDE, "n1/c", "n2/c") == [
        "begin", "prepare", "start", "golden", "canary-10", "canary-100", "drain", "flip", "finish",
    ]  # fmt: skip


def test_node_by_node_only_the_first_is_a_canary() -> None:
    alone = ["empty", "stop", "prepare", "start", "golden"]
    assert names(Mode.NODE_BY_NODE, "n1/c", "n2/c") == [
        "begin", *alone, "canary-10", "canary-100", "flip", *alone, "canary-100", "flip", "finish",
    ]  # fmt: skip


def test_a_rollback_is_one_change_of_weights() -> None:
    assert names(Mode.ROLLBACK, "n1/c") == ["begin", "start", "canary-100", "flip", "finish"]


@given(MODES, KEYS, st.data())
def test_what_remains_begins_with_the_step_that_was_begun_last(
    mode: Mode, services: list[str], data: st.DataObject
) -> None:
    """Walk up to some step, recording as a switch does, and stop in the midst of recording."""
    todo = steps.forward(mode, services, (10, 50, 100))
    reached = data.draw(st.integers(0, len(todo) - 1))
    recorded: dict[str, str] = {}
    for step in todo[:reached]:
        recorded.update(dict.fromkeys(step.services, step.name))
    told = data.draw(st.integers(1, len(todo[reached].services)))
    recorded.update(dict.fromkeys(todo[reached].services[:told], todo[reached].name))
    assert steps.remaining(todo, recorded) == todo[reached:]


@pytest.mark.parametrize("canary", [(), (10,), (50, 10, 100), (10, 10, 100), (0, 100), (10, 101)])
def test_percents_that_do_not_rise_to_100_are_refused(canary: tuple[int, ...]) -> None:
    with pytest.raises(FlightlineError, match="expected percents that rise and end at 100"):
        steps.refuse_canary(canary)


SWITCHING = Switching(to="v2", mode="side-by-side", step="begin")


@given(st.sampled_from(["a", "b"]), st.sampled_from([None, "v0", "v2"]))
def test_undoing_gives_back_the_state_that_was(active: str, standby: str | None) -> None:
    held = {active: "v1", "b" if active == "a" else "a": standby}
    before = ServiceState(model="m", active=active, **held)
    begun = steps.begun(before, SWITCHING)
    back = steps.undone(begun, "v2", keep_new=standby == "v2")
    assert steps.finished(back, keep_standby=True) == before
    placed = steps.placed(begun, "v2")
    for later in (placed, steps.flipped(placed, "v2")):
        back = steps.undone(later, "v2", keep_new=False)
        assert (back.serving, back.standby, back.switching) == ("v1", None, SWITCHING)
        assert steps.undone(back, "v2", keep_new=False) == back


def test_a_flip_turns_to_the_new_slot_once() -> None:
    state = steps.placed(fresh("m", "v1"), "v2")
    once = steps.flipped(state, "v2")
    assert (once.active, once.serving, once.standby) == ("b", "v2", "v1")
    assert steps.flipped(once, "v2") == once
    assert steps.finished(once, keep_standby=False) == ServiceState(model="m", active="b", b="v2")


def test_only_what_has_not_passed_its_gates_goes_back_by_itself() -> None:
    beside = [kind for kind in Kind if not steps.may_undo_itself(Mode.SIDE_BY_SIDE, kind)]
    assert beside == [Kind.DRAIN, Kind.FLIP, Kind.FINISH]
    assert not steps.may_undo_itself(Mode.ROLLBACK, Kind.CANARY)
    assert steps.may_undo_itself(Mode.NODE_BY_NODE, Kind.FLIP)
