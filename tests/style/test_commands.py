"""A command that a page or a remedy tells is one that `flightline` has, with the options it has."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from flightline.cli import cli

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("inventories/*.py"))
)


def wrong(line: str) -> str:
    """Say what `flightline` does not know of a command line; empty when it knows all."""
    command: click.Command = cli
    words = line.split()
    while words and isinstance(command, click.Group) and words[0][0].isalpha():
        if "|" in words[0]:  # several verbs at once
            return ""
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            return f"no command {words[0]}"
        command = found
        words.pop(0)
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    options = [word.partition("=")[0] for word in words[: (*words, "--").index("--")]]
    strange = [each for each in options if each.startswith("--") and each not in known]
    first = next((each for each in command.params if isinstance(each, click.Argument)), None)
    if words and first and isinstance(first.type, click.Choice) and not words[0].isupper():
        strange += [] if words[0] in first.type.choices else words[:1]
    return ", ".join(strange)


def test_a_line_that_is_wrong_is_found() -> None:
    assert wrong("apply inventories/prod.py --role kernel --stats") == ""
    assert wrong("lab ssh node-2 -- sudo ls --all") == ""
    assert wrong("catalog list branches") == "branches"
    assert wrong("model unpublish x") == "no command unpublish"
    assert wrong("key list --of x") == "--of"


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_pages_are_known(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\|", "|").replace("\\\n", " ")
    told = re.findall(r"(?:`|^\s*\$? ?|; )flightline ([a-z][^`#\n]*)", text, re.MULTILINE)
    assert [f"{line}: {why}" for line in told if (why := wrong(line))] == []
