"""Requests are sent as planned, and every one has an answer, if only its error."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

from flightline.bench.load import Answer, Plan, request_body, run
from tests.unit.bench.server import engine

Running = tuple[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with engine() as running:
        yield running


def answers(served: Running, model: str = "good", **plan: Any) -> list[Answer]:
    chosen = {"seconds": 20.0, "requests_max": 3, "prompt_tokens": 5, "output_tokens": 3, **plan}
    return asyncio.run(run(Plan(served[0], model, **chosen), "fl-secret")).answers


def test_a_streamed_answer_has_a_time_for_every_token(served: Running) -> None:
    for each in answers(served):
        assert each.error is None
        assert len(each.tokens_at) == each.output_tokens == 3
        assert each.prompt_tokens == 7
        assert each.began <= each.tokens_at[0] <= each.tokens_at[-1] <= each.ended


def test_thoughts_are_text_too(served: Running) -> None:
    for each in answers(served, "thinking"):
        assert each.error is None
        assert len(each.tokens_at) == 3


def test_a_whole_answer_has_its_tokens_from_the_usage(served: Running) -> None:
    found = answers(served, streaming=False)
    assert [each.output_tokens for each in found] == [3, 3, 3]
    assert all(each.error is None and not each.tokens_at for each in found)


@pytest.mark.parametrize(
    ("model", "streaming", "said"),
    [
        ("refused", True, "HTTP 429: too many requests"),
        ("refused", False, "HTTP 429: too many requests"),
        ("cut", True, "the stream ended before its end"),
        ("odd", False, "the answer has no choices"),
        ("failed", False, "HTTP 200 and an error: no room"),
        ("broken", True, "HTTP 200 and an error: engine is dead"),
        ("broken at once", True, "HTTP 200 and an error: no room"),
        ("broken as before", True, "HTTP 200 and an error: engine is dead"),
        ("silent", True, "the answer has no choices"),
        ("strange", True, "DecodingError: expected an object of JSON, got [1]"),
    ],
)
def test_what_goes_wrong_is_an_answer_with_its_error(
    served: Running, model: str, streaming: bool, said: str
) -> None:
    assert {each.error for each in answers(served, model, streaming=streaming)} == {said}


def test_nobody_there_is_an_error_of_each_request() -> None:
    found = answers(("http://127.0.0.1:9", []))
    assert len(found) == 3
    assert all("ConnectError" in (each.error or "") for each in found)


def test_the_key_goes_in_the_header_and_prompts_differ(served: Running) -> None:
    served[1].clear()
    answers(served, clients=2, requests_max=8)
    assert {each["authorization"] for each in served[1]} == {"Bearer fl-secret"}
    assert len({each["messages"][0]["content"] for each in served[1]}) == len(served[1]) >= 8


def test_a_rate_sends_about_as_many_as_it_says(served: Running) -> None:
    found = answers(served, rate=100.0, seconds=1.0, requests_max=None)
    assert 60 <= len(found) <= 140  # Poisson of 100: four standard deviations
    assert not [each for each in found if each.error]


def test_the_same_seed_sends_the_same() -> None:
    plan = Plan("http://x", "m", 1.0)
    one, two = (request_body(plan, random.Random(4)) for _ in range(2))
    assert one == two
    assert len(one["messages"][0]["content"].split()) == plan.prompt_tokens
