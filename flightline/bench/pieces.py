"""What an engine sends: text, an error after its status 200, a refusal."""

from __future__ import annotations

import json
from typing import Any

import httpx

_TEXTS = ("content", "reasoning", "reasoning_content")
"""Fields of a piece with text: thoughts are `reasoning` in vLLM, `reasoning_content` elsewhere and
before (docs.vllm.ai/en/v0.11.2/features/reasoning_outputs, 2026-11-21)."""

EMPTY = "the answer has no choices"


def parsed(text: str) -> dict[str, Any]:
    """Return an object of JSON; raises ValueError or httpx.DecodingError for anything else."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise httpx.DecodingError(f"expected an object of JSON, got {text[:40]}")
    return found


def wrong(found: dict[str, Any]) -> str | None:
    """Return the error that an engine sends where an answer was due, after its status 200."""
    told = found.get("error") or (found if found.get("object") == "error" else None)
    if not told:
        return None
    message = told.get("message") if isinstance(told, dict) else told
    return f"HTTP 200 and an error: {str(message or told)[:120]}"


def has_text(piece: dict[str, Any]) -> bool:
    """Return whether a piece of a stream has text, if only of thoughts."""
    deltas = (choice.get("delta") or {} for choice in piece.get("choices") or ())
    return any(delta.get(name) for delta in deltas for name in _TEXTS)


def refusal(status: int, text: str) -> str:
    """Return the status of an answer other than 200, and what the engine says of it."""
    try:
        told = json.loads(text)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        told = ""
    return f"HTTP {status}{f': {str(told)[:120]}' if told else ''}"
