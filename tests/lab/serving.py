"""A gateway's clients: OpenAI's own Python client under load, and bare connections for tricks."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx2
import openai

from flightline.lab import tiny_model

PATIENCE_SECONDS = 60
TOKENS = 4


@dataclass(frozen=True)
class Gateway:
    """A lab node's gateway as this computer reaches it."""

    port: int
    authority: Path
    """The root that its certificate must come from."""

    def trust(self, least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        """Return a client's TLS settings."""
        context = ssl.create_default_context(cafile=str(self.authority))
        context.minimum_version = least
        return context

    def client(self, key: str) -> openai.AsyncOpenAI:
        """Return OpenAI's client, which gives up at the first trouble."""
        return openai.AsyncOpenAI(
            base_url=f"https://localhost:{self.port}/v1",
            api_key=key,
            max_retries=0,
            timeout=PATIENCE_SECONDS,
            http_client=openai.DefaultAsyncHttpxClient(verify=self.trust()),
        )

    def ask(
        self, method: str, path: str, key: str | None = None, body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Return status and body for a path sent as it is written, over a connection of its own."""
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=PATIENCE_SECONDS, context=self.trust()
        )
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            if key is not None:
                connection.putheader("Authorization", f"Bearer {key}")
            if body is not None:
                connection.putheader("Content-Type", "application/json")
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def certificate(self) -> bytes:
        """Return the certificate that a new connection meets, DER."""
        context = self.trust()
        with (
            socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""


def chat(words: str = "hi", tokens: int = TOKENS, **more: Any) -> dict[str, Any]:
    """Return a chat request."""
    return {
        "model": tiny_model.NAME,
        "messages": [{"role": "user", "content": words}],
        "max_tokens": tokens,
        "temperature": 0,
        **more,
    }


def body(**more: Any) -> bytes:
    """Return a chat request as it goes over the wire."""
    return json.dumps(chat(**more)).encode()


@dataclass
class Load:
    """Clients that chat until told to stop; what came of it.

    streamed: every other answer is streamed; otherwise none is.
    """

    gateway: Gateway
    key: str
    clients: int = 4
    tokens: int = TOKENS
    streamed: bool = True
    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        """Begin, and wait for the first answers."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()))
        self._thread.start()
        self.wait_for(2 * self.clients)
        return self

    def __exit__(self, *_: object) -> None:
        """Let every request that was begun end."""
        self._over.set()
        self._thread.join(2 * PATIENCE_SECONDS)

    def wait_for(self, more: int) -> None:
        """Hold that so many more answers came, or that one failed."""
        wanted = len(self.answers) + more
        self.wait_until(lambda: len(self.answers) >= wanted)

    def wait_until(self, is_so: Callable[[], bool], seconds: float = 3 * PATIENCE_SECONDS) -> None:
        """Go on until something is so, or an answer failed."""
        deadline = time.monotonic() + seconds
        while not is_so() and not self.failures:
            assert time.monotonic() < deadline, f"{len(self.answers)} answers, then none"
            time.sleep(0.1)

    async def _all(self) -> None:
        async with self.gateway.client(self.key) as client:
            await asyncio.gather(*(self._one(client, n) for n in range(self.clients)))

    async def _one(self, client: openai.AsyncOpenAI, number: int) -> None:
        for turn in itertools.count():
            if self._over.is_set():
                return
            ask = streamed_answer if self.streamed and (turn + number) % 2 else whole_answer
            try:
                text, reason = await ask(client, chat(f"{number} {turn}", self.tokens))
            except (openai.OpenAIError, httpx2.HTTPError, OSError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                continue
            if reason != "length" or len(text) != self.tokens:
                self.failures.append(f"cut: {text!r}, {reason}")
            self.answers.append(text)


async def whole_answer(
    client: openai.AsyncOpenAI, request: dict[str, Any]
) -> tuple[str, str | None]:
    answer = await client.chat.completions.create(**request)
    choice = answer.choices[0]
    return choice.message.content or "", choice.finish_reason


async def streamed_answer(
    client: openai.AsyncOpenAI, request: dict[str, Any]
) -> tuple[str, str | None]:
    text, reason = "", None
    async for piece in await client.chat.completions.create(**request, stream=True):
        for choice in piece.choices:
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
    return text, reason
