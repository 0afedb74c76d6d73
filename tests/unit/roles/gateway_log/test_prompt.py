"""How the answers of the acceptance prompt are judged."""

from __future__ import annotations

import pytest

from roles.gateway.log_settings import PromptSettings
from roles.gateway.prompt_checks import Answer, parse, problems

LINE = "model=chat status=200 began=1000 first=1500 last=3500 tokens=41 finish=done"


def answer(line: str = LINE) -> Answer:
    (found,) = parse(f"{line}\nend=yes\n")
    return found


def test_figures_are_of_the_first_token_and_of_those_after_it() -> None:
    assert answer().ttft_seconds == 0.5
    assert answer().tokens_per_second == 20.0
    assert str(answer()) == "chat: first token after 0.50 s, 20.0 tokens/s"


def test_without_declared_figures_an_answer_is_enough() -> None:
    assert problems(answer(), PromptSettings()) == []


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"ttft_max_seconds": 0.4}, "expected at most 0.4 s (PromptSettings.ttft_max_seconds)"),
        ({"tokens_per_second_min": 21}, "expected at least 21.0 tokens/s"),
    ],
)
def test_a_figure_below_the_declared_one_is_named(declared: dict[str, float], said: str) -> None:
    (found,) = problems(answer(), PromptSettings(**declared))
    assert said in found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (LINE.replace("200", "503"), "answered with status 503, expected 200"),
        (LINE.replace("200", "401") + "\nwhy=chat no key", "status 401 (no key), expected"),
        (LINE.replace("first=1500", "first=0"), "without a token"),
        (LINE.replace("done", "cut"), "the stream was cut"),
    ],
)
def test_what_is_no_answer_is_said(line: str, said: str) -> None:
    (found,) = problems(answer(line), PromptSettings())
    assert said in found


def test_a_single_token_has_no_rate() -> None:
    one = answer(LINE.replace("tokens=41", "tokens=1"))
    assert one.tokens_per_second is None
    assert problems(one, PromptSettings(tokens_per_second_min=1))


@pytest.mark.parametrize("text", ["", LINE, "trouble=no curl\nend=yes"])
def test_a_trial_that_could_not_be_made_is_no_answer(text: str) -> None:
    with pytest.raises(ValueError, match=r"cut short|no curl"):
        parse(text)
