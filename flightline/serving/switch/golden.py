"""Golden prompts: what a version must answer before it may take requests.

A health check only says that a process is alive; weights of another model, a broken tokenizer or a
chat template that does not fit answer it just as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import Field, model_validator

from flightline.errors import FlightlineError, SettingsError
from flightline.settings import Settings

T = TypeVar("T", bound=Settings)


class Prompt(Settings):
    """A prompt, and properties that the answer must have; all of them."""

    prompt: str = Field(min_length=1)
    """What the user says, in one message."""

    contains: tuple[str, ...] = ()
    """Texts that the answer must contain."""

    lacks: tuple[str, ...] = ()
    """Texts that the answer must not contain."""

    matches: tuple[str, ...] = ()
    """Regular expressions (Python's) that must be found in the answer."""

    is_json: bool = False
    """Whether the whole answer must be JSON."""

    finish_reason: str | None = None
    """What the engine must give as its reason to end, such as stop. None: any."""

    max_seconds: float = Field(default=60, gt=0, le=3600)
    """Longest time that the answer may take, in seconds; 60 is a hanging engine, not a slow one."""

    max_tokens: int = Field(default=32, ge=1, le=32_768)
    """Longest answer asked for, in tokens; enough to see a property, and quick."""

    @model_validator(mode="after")
    def _has_expressions(self) -> Self:
        for each in self.matches:
            try:
                re.compile(each)
            except re.error as error:
                raise ValueError(
                    f"matches has {each!r}, which is no regular expression ({error})"
                ) from None
        return self


class Prompts(Settings):
    """The file of golden prompts."""

    prompts: tuple[Prompt, ...] = Field(min_length=1)
    """They are asked in this order, of every new engine and at every step."""


DEFAULT = Prompts(prompts=(Prompt(prompt="Say hello in one short sentence."),))
"""Only that an answer comes, and from the right model."""


def load(path: Path) -> Prompts:
    """Return the prompts of a YAML file.

    Raises FlightlineError, naming the file, for anything else.
    """
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FlightlineError(f"{path}: cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise FlightlineError(f"{path}: is not YAML ({' '.join(str(error).split())}).") from None
    if not isinstance(read, dict) or not isinstance(read.get("prompts"), list):
        raise FlightlineError(f"{path}: has no list `prompts`; see docs/switching.md for one.")
    asked = enumerate(read.pop("prompts"), start=1)
    prompts = tuple(_made(Prompt, each, f"{path}: prompt {number}") for number, each in asked)
    return _made(Prompts, {"prompts": prompts, **read}, str(path))


def _made(kind: type[T], entry: object, place: str) -> T:
    try:
        return kind(**_mapping(entry))
    except SettingsError as error:  # it begins with a place in this program
        said = error.message.partition(": ")[2].replace("a valid tuple", "a list")
        raise FlightlineError(f"{place}: {said}") from None
    except FlightlineError as error:
        raise FlightlineError(f"{place}: {error.message}") from None


def _mapping(entry: object) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise FlightlineError(f"{entry!r} is not a prompt with its properties.")
    return {
        str(key): tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }


def problems(prompt: Prompt, output: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return what is wrong with an answer, as engines.chat prints it; () when nothing is.

    `names`: what the model may call itself.
    """
    text, _, last = output.rstrip("\n").rpartition("\n")
    status, _, seconds = last.partition(" ")
    if status != "200":
        return (f"the engine answered with status {status or 'none'}: {_short(text)}",)
    try:
        answer = json.loads(text)
        choice = answer["choices"][0]
        content = _content(choice["message"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return (f"the answer is no chat completion: {_short(text)}",)
    named, reason, took = answer.get("model"), choice.get("finish_reason"), float(seconds or 0)
    found = [] if content.strip() else ["the answer is empty"]
    if named not in names:
        found.append(f"the model calls itself {named!r}, expected {' or '.join(names)}")
    if prompt.finish_reason not in {None, reason}:
        found.append(f"the answer ended by {reason!r}, expected {prompt.finish_reason!r}")
    if took > prompt.max_seconds:
        found.append(f"the answer took {took:.1f} s, expected {prompt.max_seconds:g} s at most")
    return (*found, *_wrong_text(prompt, content))


def _wrong_text(prompt: Prompt, content: str) -> list[str]:
    unmet = [f"lacks {each!r}" for each in prompt.contains if each not in content]
    unmet += [f"contains {each!r}" for each in prompt.lacks if each in content]
    unmet += [f"does not match {each!r}" for each in prompt.matches if not re.search(each, content)]
    unmet += ["is not JSON"] if prompt.is_json and not _is_json(content) else []
    return [f"the answer {each}: {_short(content)}" for each in unmet]


def _content(message: dict[str, Any]) -> str:
    # models that think aloud may spend all tokens on it, in a field of its own
    fields = ("content", "reasoning_content", "reasoning")
    return next((str(message[each]) for each in fields if message.get(each)), "")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 120 else f"{line[:117]}...")
