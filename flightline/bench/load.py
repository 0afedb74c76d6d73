"""Chat requests at a rate or from a number of clients, each timed token by token."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from httpx_sse import SSEError, aconnect_sse

from flightline.bench import pieces

_WORDS = Path(__file__).with_name("words.txt").read_text(encoding="ascii").split()
"""Common English words, most of them one token in the vocabularies of current models."""

PATIENCE_SECONDS = 600.0
"""How long one answer may be silent; a full queue in front of a large model takes minutes."""


@dataclass(frozen=True)
class Plan:
    """What is sent, and how fast."""

    url: str
    """The gateway, such as https://gpu-01:8443; requests go to /v1/chat/completions below it."""
    model: str
    seconds: float
    """Requests begin within this time; those begun are waited for."""
    rate: float | None = None
    """Requests begun per second, at random moments (a Poisson process). None: `clients` decide."""
    clients: int = 1
    """Without a rate: clients that each send the next request when the last one was answered."""
    requests_max: int | None = None
    """No more requests than this. None: as many as the time allows."""
    prompt_tokens: int = 128
    """Words in a prompt: about as many tokens. The answers' usage says how many they were."""
    output_tokens: int = 128
    """Most tokens of an answer."""
    streaming: bool = True
    seed: int = 0
    """Of prompts and moments: the same seed sends the same."""


@dataclass(frozen=True)
class Answer:
    """What came of one request; times are seconds since the run began."""

    began: float
    ended: float
    tokens_at: tuple[float, ...] = ()
    """When each piece with text came, thoughts included: an engine sends one token in a piece, or
    few."""
    output_tokens: int = 0
    """As the answer's usage says; the number of pieces where it says nothing."""
    prompt_tokens: int = 0
    error: str | None = None
    """Why there is no whole answer; None: there is one."""


@dataclass
class _Run:
    plan: Plan
    client: httpx.AsyncClient
    began: float = field(default_factory=time.monotonic)
    answers: list[Answer] = field(default_factory=list)
    dice: random.Random = field(default_factory=random.Random)

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    @property
    def is_over(self) -> bool:
        most = self.plan.requests_max
        return self.now >= self.plan.seconds or (most is not None and self.sent >= most)

    sent: int = 0


@dataclass(frozen=True)
class Sent:
    """A run that is over."""

    began: float
    """When, in seconds of time.monotonic()."""
    answers: list[Answer]

    @property
    def window(self) -> tuple[float, float]:
        """The first request's begin and the last answer's end, in the same seconds."""
        first = min((each.began for each in self.answers), default=0.0)
        last = max((each.ended for each in self.answers), default=0.0)
        return self.began + first, self.began + last


async def run(plan: Plan, key: str | None, ca: Path | None = None) -> Sent:
    """Return an answer for every request that was begun, in the order of their ends.

    `key` goes in the Authorization header; `ca` is a file of authorities to trust instead of the
    computer's own. A request that goes wrong is an answer with its error, never an exception.
    """
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    timeout = httpx.Timeout(PATIENCE_SECONDS, connect=30.0)
    async with httpx.AsyncClient(
        base_url=plan.url, verify=context, headers=headers, limits=limits, timeout=timeout
    ) as client:
        begun = _Run(plan, client, dice=random.Random(plan.seed))  # noqa: S311 - not a secret
        await (_closed(begun) if plan.rate is None else _open(begun, plan.rate))
    return Sent(begun.began, begun.answers)


async def _closed(run: _Run) -> None:
    """Clients that wait for their answers: what the service can do at this concurrency."""

    async def client() -> None:
        while not run.is_over:
            await _one(run)

    await asyncio.gather(*(client() for _ in range(run.plan.clients)))


async def _open(run: _Run, rate: float) -> None:
    """Requests that begin whatever the answers do, as those of many users: queues show."""
    tasks: list[Awaitable[None]] = []
    due = 0.0
    while True:
        due += run.dice.expovariate(rate)
        await asyncio.sleep(max(0.0, due - run.now))
        if run.is_over:
            break
        tasks.append(asyncio.ensure_future(_one(run)))
    await asyncio.gather(*tasks)


async def _one(run: _Run) -> None:
    body = request_body(run.plan, run.dice)
    run.sent += 1
    began = run.now
    try:
        answer = await (_streamed if run.plan.streaming else _whole)(run, body, began)
    except (httpx.HTTPError, SSEError, OSError, ValueError) as error:
        answer = Answer(began, run.now, error=_told(error))
    run.answers.append(answer)


def request_body(plan: Plan, dice: random.Random) -> dict[str, Any]:
    """Return one chat request; every prompt is another, so that no cache answers it."""
    prompt = " ".join(dice.choices(_WORDS, k=plan.prompt_tokens))
    body: dict[str, Any] = {
        "model": plan.model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": plan.output_tokens,
        "temperature": 0,
    }
    if plan.streaming:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


async def _whole(run: _Run, body: dict[str, Any], began: float) -> Answer:
    response = await run.client.post("/v1/chat/completions", json=body)
    if response.status_code != httpx.codes.OK:
        return Answer(began, run.now, error=pieces.refusal(response.status_code, response.text))
    found = pieces.parsed(response.text)
    usage = found.get("usage") or {}
    error = pieces.wrong(found) or (None if found.get("choices") else pieces.EMPTY)
    if error is not None:
        return Answer(began, run.now, error=error)
    return Answer(
        began,
        run.now,
        output_tokens=int(usage.get("completion_tokens", 0)),
        prompt_tokens=int(usage.get("prompt_tokens", 0)),
    )


async def _streamed(run: _Run, body: dict[str, Any], began: float) -> Answer:
    moments: list[float] = []
    usage: dict[str, Any] = {}
    async with aconnect_sse(run.client, "POST", "/v1/chat/completions", json=body) as source:
        response = source.response
        if response.status_code != httpx.codes.OK:
            text = (await response.aread()).decode(errors="replace")
            return Answer(began, run.now, error=pieces.refusal(response.status_code, text))
        error: str | None = "the stream ended before its end"
        has_choices = False
        async for piece in _pieces(source):
            if piece is None:
                error = None if has_choices else pieces.EMPTY
                break
            if wrong := pieces.wrong(piece):
                error = wrong
                break
            usage = piece.get("usage") or usage
            has_choices = has_choices or bool(piece.get("choices"))
            if pieces.has_text(piece):
                moments.append(run.now)
    return Answer(
        began,
        run.now,
        tuple(moments),
        int(usage.get("completion_tokens", len(moments))),
        int(usage.get("prompt_tokens", 0)),
        error,
    )


async def _pieces(source: Any) -> AsyncIterator[dict[str, Any] | None]:
    """Yield the stream's objects, and None for its [DONE]."""
    async for event in source.aiter_sse():
        yield None if event.data == "[DONE]" else pieces.parsed(event.data)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}{f': {error}' if str(error) else ''}"[:160]
