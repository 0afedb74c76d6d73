"""When a new version may go on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.serving.switch import gates
from flightline.serving.switch.gates import Limits
from flightline.serving.switch.gateways import Counters

LIMITS = Limits()


@pytest.mark.parametrize(
    ("new", "old", "passes"),
    [
        (Counters(1000, 0), Counters(9000, 0), True),
        (Counters(1000, 10), Counters(9000, 0), True),  # 1 % is allowed
        (Counters(1000, 11), Counters(9000, 0), False),
        (Counters(1000, 30), Counters(9000, 270), True),  # no worse than the old one
        (Counters(1000, 1000), Counters(0, 0), False),
        (Counters(10, 0), Counters(90, 0), True),
        (Counters(49, 4), Counters(90, 0), True),  # strays among few are not judged
        (Counters(5, 5), Counters(90, 0), False),  # five are no strays
    ],
)
def test_errors_are_judged_against_the_old_version(
    new: Counters, old: Counters, passes: bool
) -> None:
    assert gates.errors(new, old, LIMITS).has_passed is passes


def test_too_few_requests_are_said_to_be_so() -> None:
    said = gates.errors(Counters(3, 0), Counters(50, 0), LIMITS).sentence
    assert said == "too few requests (3 of 50): decided by golden prompts only"


def test_a_failed_gate_gives_its_figures() -> None:
    said = gates.errors(Counters(200, 20), Counters(1800, 9), LIMITS).sentence
    assert said == (
        "20 of 200 requests of the new version failed, 9 of 1800 requests of the old; "
        "at most 1.5% allowed"
    )


@given(st.integers(50, 10_000), st.integers(0, 10_000), st.integers(1, 10_000))
def test_more_errors_never_turn_a_failed_gate_into_a_passed_one(
    requests: int, errors: int, more: int
) -> None:
    old = Counters(1000, 5)
    fewer = gates.errors(Counters(requests, min(errors, requests)), old, LIMITS).has_passed
    worse = gates.errors(Counters(requests, min(errors + more, requests)), old, LIMITS).has_passed
    assert fewer or not worse


def test_clients_that_give_up_more_often_stop_it() -> None:
    old = Counters(1000, 0, 10)
    assert gates.aborts(Counters(100, 0, 6), old, LIMITS).has_passed
    assert not gates.aborts(Counters(100, 0, 7), old, LIMITS).has_passed
    assert gates.aborts(Counters(10, 0, 9), old, LIMITS).has_passed


@pytest.mark.parametrize(
    ("new", "reference", "passes"),
    [
        ([0.2, 0.2, 0.2], 0.2, True),
        ([0.2, 0.2, 9.0], 0.2, True),  # the median, not the worst
        ([0.4, 0.4, 0.4], 0.2, False),
        ([0.1, 0.1, 0.1], 0.01, True),  # below the floor nothing is told apart
        ([0.4, 0.4, 0.4], None, True),
        ([0.2, None, 0.2], 0.2, False),
    ],
)
def test_the_first_token_is_judged_by_its_median(
    new: list[float | None], reference: float | None, passes: bool
) -> None:
    assert gates.first_token(new, reference, LIMITS).has_passed is passes


def test_response_times_are_compared_where_the_gateway_has_both() -> None:
    assert gates.response(0, 500, LIMITS).has_passed
    assert gates.response(700, 500, LIMITS).has_passed
    assert not gates.response(800, 500, LIMITS).has_passed
