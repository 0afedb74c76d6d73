"""Clients that ask without a pause, streaming and not, and notice whatever goes wrong."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

TOKENS = 10


@dataclass
class Traffic:
    """What clients saw."""

    answered: Counter[str] = field(default_factory=Counter)
    """Whole answers, by the version that gave them."""
    streamed: int = 0
    failures: list[str] = field(default_factory=list)
    """Answers that were no 200, or that broke off."""

    @property
    def requests(self) -> int:
        return sum(self.answered.values()) + len(self.failures)


@contextmanager
def traffic(
    ports: Sequence[int], clients: int = 8, pause: float = 0.02, key: str = ""
) -> Iterator[Traffic]:
    """Ask the gateways from some clients at once until the block ends; bounded to a few minutes.

    With a key over TLS, whatever the certificate; without one in plain HTTP.
    """
    seen, stop, lock = Traffic(), threading.Event(), threading.Lock()

    def client(number: int) -> None:
        deadline = time.monotonic() + 300
        while not stop.is_set() and time.monotonic() < deadline:
            stream = number % 2 == 0
            version = _asked(ports[number % len(ports)], stream=stream, key=key)
            with lock:
                if version.startswith("v"):
                    seen.answered[version] += 1
                    seen.streamed += stream
                else:
                    seen.failures.append(version)
            time.sleep(pause)

    threads = [threading.Thread(target=client, args=(each,)) for each in range(clients)]
    for each in threads:
        each.start()
    try:
        yield seen
    finally:
        stop.set()
        for each in threads:
            each.join(60)


def _connection(port: int, *, is_tls: bool) -> http.client.HTTPConnection:
    if not is_tls:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)


def _asked(port: int, *, stream: bool, key: str) -> str:
    """Return the version that answered wholly, or what went wrong."""
    connection = _connection(port, is_tls=bool(key))
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    try:
        body = json.dumps({"model": "tiny", "stream": stream, "max_tokens": TOKENS, "messages": []})
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error} (stream: {stream})"
    finally:
        connection.close()
    if answer.status != 200:
        return f"status {answer.status}: {text[:100]}"
    return _streamed(text) if stream else str(json.loads(text)["version"])


def _streamed(text: str) -> str:
    lines = [line[6:] for line in text.split("\n\n") if line.startswith("data: ")]
    if not lines or lines[-1] != "[DONE]":
        return f"cut: {len(lines)} events"
    events = [json.loads(line) for line in lines[:-1]]
    versions = {event["version"] for event in events if "version" in event}
    if len(events) != TOKENS + 1 or len(versions) != 1:
        return f"cut: {len(events)} events of {versions}"
    return str(versions.pop())
