"""The draw of a node's GPUs, from samples of each."""

from __future__ import annotations

import pytest

from flightline.bench.power import total, watts


def test_gpus_are_added_and_samples_averaged() -> None:
    assert watts(["0, 100.0", "1, 300.0", "0, 200.0", "1, 300.0", ""]) == 450.0


@pytest.mark.parametrize("said", [["0, [N/A]"], ["0, 70.1", "1, [N/A]"], ["no devices"], [], [""]])
def test_a_gpu_that_cannot_tell_leaves_the_draw_unknown(said: list[str]) -> None:
    assert watts(said) is None


def test_one_unknown_node_leaves_the_sum_unknown() -> None:
    assert total({"a": 1.0, "b": 2.0}) == 3.0
    assert total({"a": 1.0, "b": None}) is None
    assert total({}) is None
