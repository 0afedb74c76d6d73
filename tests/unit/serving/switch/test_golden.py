"""What is said about an answer, and about a file of prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flightline.errors import FlightlineError
from flightline.serving.switch import golden
from flightline.serving.switch.golden import Prompt


def answer(content: str, *, model: str = "tiny", took: float = 0.5, reason: str = "stop") -> str:
    choice = {"message": {"content": content}, "finish_reason": reason}
    return f"{json.dumps({'model': model, 'choices': [choice]})}\n200 {took}\n"


@pytest.mark.parametrize(
    ("properties", "given", "said"),
    [
        ({}, answer("Hello"), None),
        ({}, answer("  "), "the answer is empty"),
        ({}, answer("Hello", model="other"), "calls itself 'other', expected tiny or small"),
        ({"contains": ("Paris",)}, answer("It is Paris."), None),
        ({"contains": ("Paris",)}, answer("It is Rome."), "lacks 'Paris'"),
        ({"lacks": ("sorry",)}, answer("I am sorry"), "contains 'sorry'"),
        ({"matches": (r"\b4\b",)}, answer("2 + 2 = 4"), None),
        ({"matches": (r"\b4\b",)}, answer("44"), "does not match"),
        ({"is_json": True}, answer('{"a": 1}'), None),
        ({"is_json": True}, answer("{a: 1}"), "is not JSON"),
        ({"finish_reason": "stop"}, answer("x", reason="length"), "ended by 'length'"),
        ({"max_seconds": 1}, answer("x", took=1.2), "took 1.2 s, expected 1 s at most"),
        ({}, "upstream error\n502 0.1\n", "status 502: 'upstream error'"),
        ({}, "\n000 0.0\n", "status 000"),
        ({}, "", "status none"),
        ({}, "<html>\n200 0.1\n", "is no chat completion"),
        ({}, '{"choices": []}\n200 0.1\n', "is no chat completion"),
    ],
)
def test_an_answer_is_held_against_every_property(
    properties: dict[str, object], given: str, said: str | None
) -> None:
    found = golden.problems(Prompt(prompt="?", **properties), given, ("tiny", "small"))
    assert (said in "; ".join(found)) if said else found == ()


def test_all_that_is_wrong_is_said() -> None:
    prompt = Prompt(prompt="?", contains=("a", "b"), finish_reason="stop")
    assert len(golden.problems(prompt, answer("c", reason="length"), ("tiny",))) == 3


def test_a_model_that_thinks_aloud_answers() -> None:
    choice = {"message": {"content": None, "reasoning_content": "Well"}, "finish_reason": "length"}
    text = f"{json.dumps({'model': 'tiny', 'choices': [choice]})}\n200 0.1\n"
    assert golden.problems(Prompt(prompt="?"), text, ("tiny",)) == ()


def test_a_file_of_prompts_is_read(tmp_path: Path) -> None:
    path = tmp_path / "golden.yaml"
    path.write_text("prompts:\n- prompt: 2 + 2?\n  contains: ['4']\n  max_seconds: 5\n")
    read = golden.load(path)
    assert read.prompts == (Prompt(prompt="2 + 2?", contains=("4",), max_seconds=5),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no list `prompts`"),
        ("prompts: []", "prompts"),
        ("prompts: [x]", "'x' is not a prompt"),
        ("prompts:\n- contains: [x]", "prompt"),
        ("prompts:\n- {prompt: x, expects: y}", "no field expects"),
        ("prompts:\n- {prompt: x, matches: ['(']}", "no regular expression"),
        ("prompts:\n- {prompt: x}\nother: 1", "no field other"),
        ("a: [", "is not YAML"),
        ("[" * 5000, "is not YAML"),
        (
            "prompts:\n- prompt: x\n- {prompt: x, max_tokens: 0}",
            "yaml: prompt 2: Prompt.max_tokens",
        ),
        ("prompts:\n- {prompt: x, contains: 5}", "input should be a list"),
        ("prompts:\n- {prompt: x}\n5: 1", "no field 5"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "golden.yaml"
    path.write_text(text)
    with pytest.raises(FlightlineError, match=r"golden\.yaml") as error:
        golden.load(path)
    assert said in error.value.message
    assert "golden.py" not in error.value.message


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FlightlineError, match="cannot be read"):
        golden.load(tmp_path / "none.yaml")
