"""Time to first token: measured on the node by a streaming request to one engine's own port."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

_SECONDS = 60
"""An engine that gives no token for so long does not serve."""


def command(port: int) -> str:
    """Return the command that streams an answer to standard input, and prints when each line came.

    The first line is the time at which the request was sent, in nanoseconds of the node's clock.
    """
    return (
        "date +%s%N; "
        f"curl -sSN --max-time {_SECONDS} -H 'content-type: application/json' --data-binary @- "
        f"http://127.0.0.1:{port}/v1/chat/completions | "
        'while IFS= read -r line; do [ -z "$line" ] || echo "$(date +%s%N) $line"; done'
    )


def first_token_seconds(output: str) -> float | None:
    """Return how long the first token took; None where none came.

    Engines may announce the role before they have a token: the first line with text counts, and
    the first line at all where no line has any.
    """
    sent, *lines = output.splitlines() or [""]
    pieces = [(int(at), text) for at, text in map(_split, lines) if at.isdigit()]
    data = [(at, text[5:].strip()) for at, text in pieces if text.startswith("data:")]
    if not sent.isdigit() or not data:
        return None
    first = next((at for at, text in data if _has_text(text)), data[0][0])
    return (first - int(sent)) / 1e9


def _split(line: str) -> tuple[str, str]:
    at, _, text = line.partition(" ")
    return at, text


def _has_text(data: str) -> bool:
    try:
        choices: Iterable[dict[str, Any]] = json.loads(data)["choices"]
        return any(_text(each) for each in choices)
    except (ValueError, LookupError, TypeError, AttributeError):
        return False


def _text(choice: dict[str, Any]) -> bool:
    delta = choice.get("delta") or {}
    return bool(
        choice.get("text")
        or any(delta.get(each) for each in ("content", "reasoning_content", "reasoning"))
    )
