"""What the answers of a run amount to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, quantiles
from typing import Any

from flightline.bench.load import Answer

SCHEMA = "flightline.bench/1"
PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True)
class Spread:
    """How a time is spread over the requests, in milliseconds."""

    count: int
    mean: float
    percentiles: dict[int, float]
    """By percent. With few values the high ones lie near the largest: `count` says how many."""
    maximum: float

    def to_json(self) -> dict[str, Any]:
        """Return it with units in the names."""
        named = {f"p{percent}_ms": round(value, 3) for percent, value in self.percentiles.items()}
        return {
            "count": self.count,
            "mean_ms": round(self.mean, 3),
            **named,
            "max_ms": round(self.maximum, 3),
        }


@dataclass(frozen=True)
class Figures:
    """A run in figures."""

    seconds: float
    """From the first request's begin to the last answer's end."""
    requests: int
    errors: dict[str, int]
    """How often each went wrong."""
    time_to_first_token: Spread | None
    """None: nothing was streamed, or nothing was answered."""
    inter_token_latency: Spread | None
    """Between the pieces of one answer."""
    whole_answer: Spread | None
    output_tokens: int
    prompt_tokens: int
    joules: float | None = None
    """What the GPUs drew during the run; None: not readable."""

    @property
    def failed(self) -> int:
        """Requests without a whole answer."""
        return sum(self.errors.values())

    @property
    def requests_per_second(self) -> float:
        """Whole answers a second."""
        return (self.requests - self.failed) / self.seconds if self.seconds else 0.0

    @property
    def output_tokens_per_second(self) -> float:
        """Tokens of all answers together, a second."""
        return self.output_tokens / self.seconds if self.seconds else 0.0

    @property
    def joules_per_token(self) -> float | None:
        """Energy for one token of an answer, prompts included; None: not readable."""
        if self.joules is None or not self.output_tokens:
            return None
        return self.joules / self.output_tokens

    def to_json(self) -> dict[str, Any]:
        """Return the record of the run."""
        return {
            "schema": SCHEMA,
            "seconds": round(self.seconds, 3),
            "requests": self.requests,
            "failed": self.failed,
            "errors": self.errors,
            "requests_per_second": round(self.requests_per_second, 3),
            "output_tokens_per_second": round(self.output_tokens_per_second, 3),
            "output_tokens": self.output_tokens,
            "prompt_tokens": self.prompt_tokens,
            "time_to_first_token": _plain(self.time_to_first_token),
            "inter_token_latency": _plain(self.inter_token_latency),
            "whole_answer": _plain(self.whole_answer),
            "joules": None if self.joules is None else round(self.joules, 1),
            "joules_per_token": _rounded(self.joules_per_token),
        }


def figures(answers: Sequence[Answer], joules: float | None = None) -> Figures:
    """Return the figures of a run; times are of whole answers alone."""
    whole = [each for each in answers if each.error is None]
    firsts = (each.tokens_at[0] - each.began for each in whole if each.tokens_at)
    gaps = (later - sooner for each in whole for sooner, later in pairwise(each.tokens_at))
    began = min((each.began for each in answers), default=0.0)
    ended = max((each.ended for each in answers), default=0.0)
    return Figures(
        seconds=ended - began,
        requests=len(answers),
        errors=dict(Counter(each.error for each in answers if each.error is not None)),
        time_to_first_token=spread(firsts),
        inter_token_latency=spread(gaps),
        whole_answer=spread(each.ended - each.began for each in whole),
        output_tokens=sum(each.output_tokens for each in whole),
        prompt_tokens=sum(each.prompt_tokens for each in whole),
        joules=joules,
    )


def spread(seconds: Iterable[float]) -> Spread | None:
    """Return how times are spread; None where there is none.

    Percentiles lie between the two nearest values (statistics.quantiles, inclusive).
    """
    values = sorted(value * 1000 for value in seconds)
    if not values:
        return None
    cuts = quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
    found = {percent: cuts[percent - 1] for percent in PERCENTILES}
    return Spread(len(values), fmean(values), found, values[-1])


def _plain(found: Spread | None) -> dict[str, Any] | None:
    return None if found is None else found.to_json()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
