"""Who is to blame for a slow link: proven on simulated fleets with known bad nodes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.acceptance.pairs import Blame, Measured, Pair, blame, first_pass, second_pass

RAIL = "mlx5_0"


def measure(rounds: tuple[tuple[Pair, ...], ...], bad: set[str]) -> list[Measured]:
    return [
        Measured(pair, RAIL, 90.0 if {pair.server, pair.client} & bad else 390.0, 360.0)
        for pairs in rounds
        for pair in pairs
    ]


def judged(nodes: list[str], bad: set[str]) -> dict[str, Blame]:
    first = measure(first_pass(nodes), bad)
    both = first + measure(second_pass(first), bad)
    return {node: blame(node, RAIL, both) for node in nodes}


def fleet(number: int) -> list[str]:
    return [f"gpu-{n}" for n in range(number)]


def test_one_bad_node_of_eight_is_named_and_its_partner_cleared() -> None:
    found = judged(fleet(8), {"gpu-3"})
    assert found.pop("gpu-3") is Blame.BAD
    assert set(found.values()) == {Blame.SOUND}


def test_two_nodes_alone_cannot_tell_which_is_bad() -> None:
    assert set(judged(fleet(2), {"gpu-0"}).values()) == {Blame.OPEN}


def test_slow_with_two_bad_ones_is_not_yet_bad() -> None:
    found = judged(fleet(3), {"gpu-1", "gpu-2"})
    assert found["gpu-0"] is Blame.OPEN


def test_two_sound_nodes_are_sound() -> None:
    assert set(judged(fleet(2), set()).values()) == {Blame.SOUND}


def test_an_odd_node_is_measured_too() -> None:
    assert judged(fleet(5), {"gpu-4"})["gpu-4"] is Blame.BAD


def test_a_failed_run_is_not_sound() -> None:
    failed = Measured(Pair("a", "b"), RAIL, None, 0.0, "no route")
    assert blame("a", RAIL, [failed]) is Blame.OPEN


def test_a_dead_port_is_bad_and_its_partner_only_unmeasured() -> None:
    dead = Measured(Pair("a", "b"), RAIL, None, 0.0, "b has no active port", culprit="b")
    assert blame("b", RAIL, [dead]) is Blame.BAD
    assert blame("a", RAIL, [dead]) is Blame.UNMEASURED
    assert blame("a", RAIL, [dead, Measured(Pair("c", "a"), RAIL, 390.0, 360.0)]) is Blame.SOUND


def test_any_transfer_is_enough_where_there_is_no_floor() -> None:
    assert Measured(Pair("a", "b"), RAIL, 0.1, 0.0).is_sound


def test_a_node_alone_is_unmeasured() -> None:
    assert first_pass(["a"]) == ()
    assert blame("a", RAIL, []) is Blame.UNMEASURED


def test_another_rails_trouble_is_not_held_against_a_port() -> None:
    slow = Measured(Pair("a", "b"), "mlx5_1", 10.0, 360.0)
    fine = Measured(Pair("a", "b"), RAIL, 390.0, 360.0)
    assert blame("a", RAIL, [slow, fine]) is Blame.SOUND


@given(st.integers(2, 40))
def test_every_node_is_measured_and_no_node_twice_at_once(number: int) -> None:
    rounds = first_pass(fleet(number))
    assert {name for pairs in rounds for each in pairs for name in (each.server, each.client)} == (
        set(fleet(number))
    )
    for pairs in rounds:
        busy = Counter(name for each in pairs for name in (each.server, each.client))
        assert max(busy.values()) == 1


@given(st.integers(3, 30), st.data())
def test_nobody_sound_is_ever_called_bad(number: int, data: st.DataObject) -> None:
    nodes = fleet(number)
    bad = set(data.draw(st.lists(st.sampled_from(nodes), max_size=number // 3, unique=True)))
    found = judged(nodes, bad)
    assert {node for node, verdict in found.items() if verdict is Blame.BAD} <= bad
    assert all(found[node] is not Blame.SOUND for node in bad)


@pytest.mark.parametrize("number", [4, 8, 9])
def test_a_second_pass_meets_only_sound_partners(number: int) -> None:
    first = measure(first_pass(fleet(number)), {"gpu-1"})
    suspects = {"gpu-0", "gpu-1"}
    for pairs in second_pass(first):
        assert all(pair.server not in suspects for pair in pairs)
