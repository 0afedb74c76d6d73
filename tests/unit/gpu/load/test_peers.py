"""Slow ones among alike, and those that only look so."""

from __future__ import annotations

import pytest

from flightline.gpu.load.peers import least, slow


def named(*values: float) -> dict[str, float]:
    return {str(number): value for number, value in enumerate(values)}


def test_one_slow_gpu_of_eight_is_named() -> None:
    assert slow(named(55.4, 55.3, 55.4, 42.0, 55.4, 55.4, 55.3, 55.4)) == ("3",)


def test_ordinary_spread_names_nobody() -> None:
    assert slow(named(55.4, 55.1, 55.0, 54.2, 55.4, 55.6, 55.3, 55.2)) == ()


def test_identical_peers_leave_the_percent_rule() -> None:
    assert slow(named(100, 100, 100, 100, 100, 96.9)) == ("5",)
    assert slow(named(100, 100, 100, 100, 100, 97.1)) == ()


def test_a_wide_spread_is_no_outlier() -> None:
    assert slow(named(60, 70, 80, 90, 100, 75)) == ()


def test_few_are_judged_by_percent_alone() -> None:
    assert slow(named(100, 90)) == ("1",)


@pytest.mark.parametrize("values", [{}, {"0": 1.0}])
def test_one_alone_has_no_peers(values: dict[str, float]) -> None:
    assert slow(values) == ()


def test_a_fast_one_is_not_held_against_the_others() -> None:
    assert slow(named(100, 100, 100, 100, 100, 140)) == ()


def test_the_slowest_link_of_a_column_counts() -> None:
    assert least(((None, 396.0), (395.0, None), (200.0, 396.0))) == {"0": 200.0, "1": 396.0}
