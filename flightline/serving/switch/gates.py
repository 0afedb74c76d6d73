"""May the new version go on? Its errors and its time to first token against the old one; pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from flightline.serving.switch.gateways import Counters

ERRORS_ENOUGH = 5
"""So many errors are no stray: they are judged even where requests are few."""


@dataclass(frozen=True)
class Limits:
    """How much worse the new version may be. Each default is a choice of ours, explained."""

    errors_over: float = 0.01
    """Share of requests with an error, more than the old version has: 1 % is a visible outage."""
    aborts_over: float = 0.05
    """The same for requests that clients gave up; they do that for reasons of their own too."""
    ttft_ratio: float = 1.5
    """Median time to first token, as a multiple of the old version's."""
    ttft_floor_seconds: float = 0.1
    """Differences below it are the network's and the measurement's, not the version's."""
    minimum_requests: int = 50
    """With fewer, one stray error is 2 %: more than `errors_over` allows. Golden prompts decide."""
    probes: int = 5
    """Streaming requests for the median of the time to first token."""


@dataclass(frozen=True)
class Finding:
    """What one gate says."""

    gate: str
    has_passed: bool
    sentence: str


def errors(new: Counters, old: Counters, limits: Limits) -> Finding:
    """Judge the share of errors of the new version, against the old one's in the same time."""
    if new.requests < limits.minimum_requests and new.errors < ERRORS_ENOUGH:
        return Finding(
            "error rate",
            True,
            f"too few requests ({new.requests} of {limits.minimum_requests}): decided by golden "
            "prompts only",
        )
    allowed = _share(old.errors, old) + limits.errors_over
    sentence = (
        f"{_shown(new.errors, new)} of the new version failed, {_shown(old.errors, old)} of the old"
    )
    return _judged("error rate", _share(new.errors, new), allowed, sentence)


def aborts(new: Counters, old: Counters, limits: Limits) -> Finding:
    """Judge how often clients gave up."""
    if min(new.requests, old.requests) < limits.minimum_requests:
        return Finding("given up", True, "too few requests to compare how often clients gave up")
    allowed = _share(old.aborts, old) + limits.aborts_over
    sentence = (
        f"clients gave up {_shown(new.aborts, new)} of the new version, "
        f"{_shown(old.aborts, old)} of the old"
    )
    return _judged("given up", _share(new.aborts, new), allowed, sentence)


def first_token(new: Sequence[float | None], reference: float | None, limits: Limits) -> Finding:
    """Judge the median time to first token against a reference, both in seconds.

    None among the new ones is a request that gave no token at all.
    """
    gate, missing = "time to first token", sum(each is None for each in new)
    if missing:
        return Finding(gate, False, f"{missing} of {len(new)} streaming probes gave no token")
    median = statistics.median([each for each in new if each is not None])
    if reference is None:
        return Finding(gate, True, f"{median:.3f} s; no figure of the old version to compare with")
    allowed = max(reference * limits.ttft_ratio, reference + limits.ttft_floor_seconds)
    return Finding(
        gate,
        median <= allowed,
        f"{median:.3f} s, the old version's is {reference:.3f} s, at most {allowed:.3f} s allowed",
    )


def response(new_ms: int, old_ms: int, limits: Limits) -> Finding:
    """Judge the gateway's own mean time to the first byte, where it has one of both."""
    gate = "response time"
    if not new_ms or not old_ms:
        return Finding(gate, True, "the gateway has no figure of both versions")
    allowed = max(old_ms * limits.ttft_ratio, old_ms + limits.ttft_floor_seconds * 1000)
    return Finding(
        gate,
        new_ms <= allowed,
        f"{new_ms} ms, the old version's is {old_ms} ms, at most {allowed:.0f} ms allowed",
    )


def _judged(gate: str, share: float, allowed: float, sentence: str) -> Finding:
    return Finding(gate, share <= allowed, f"{sentence}; at most {allowed:.1%} allowed")


def _share(count: int, of: Counters) -> float:
    return min(count / of.requests, 1.0) if of.requests else float(count > 0)


def _shown(count: int, of: Counters) -> str:
    return f"{count} of {of.requests} requests"
