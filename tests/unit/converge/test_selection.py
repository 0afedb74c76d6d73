"""Batches and the sentence of a result."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.converge.results import NodeResult
from flightline.converge.selection import batches


@given(st.lists(st.integers(), unique=True), st.integers(1, 100), st.booleans())
def test_batches_hold_every_node_once_in_order(items: list[int], size: int, share: bool) -> None:
    made = batches(items, f"{size}{'%' * share}")
    assert [each for batch in made for each in batch] == items
    assert all(made)


@pytest.mark.parametrize(
    ("size", "sizes"),
    [("25%", [2, 2, 2, 2]), ("1%", [1] * 8), ("100%", [8]), ("3", [3, 3, 2]), ("20", [8])],
)
def test_a_share_is_rounded_down_to_one_at_least(size: str, sizes: list[int]) -> None:
    assert [len(batch) for batch in batches(range(8), size)] == sizes


def test_without_a_size_all_nodes_are_one_batch() -> None:
    assert batches(["a", "b"], None) == [["a", "b"]]


def test_a_failed_node_has_not_converged_and_says_what_was_left() -> None:
    result = NodeResult("n", changed=["x"], failure="n: y broke.", never_ran=2, was_reached=True)
    assert not result.has_converged
    assert result.sentence == "n: y broke. (1 operation changed it before, 2 operations not run)"


def test_an_interrupted_node_has_not_converged() -> None:
    assert not NodeResult("n", was_reached=True, is_interrupted=True).has_converged


def test_a_node_that_was_never_reached_has_not_converged() -> None:
    assert not NodeResult("n").has_converged
