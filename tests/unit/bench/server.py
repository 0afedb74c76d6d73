"""An engine that answers at once, and badly when asked for it: the model's name says how."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

USAGE = {"completion_tokens": 3, "prompt_tokens": 7}


def pieces(*fields: str) -> list[Any]:
    """Return the pieces of an answer whose three words are in these fields."""
    words = ({name: word} for name, word in zip(fields, "abc", strict=True))
    return [{"choices": [{"delta": each}]} for each in ({"role": "assistant"}, *words)]


PIECES = pieces("content", "content", "content")
STREAMS: dict[str, list[Any]] = {
    "thinking": pieces("reasoning", "reasoning_content", "content"),
    "broken": [*PIECES[:2], {"error": {"message": "engine is dead", "code": 500}}],
    "broken at once": [{"error": "no room"}],
    "broken as before": [{"object": "error", "message": "engine is dead", "code": 500}],
    "silent": [],
    "strange": [[1]],
}


class Engine(BaseHTTPRequestHandler):
    """Three tokens, streamed or not."""

    protocol_version = "HTTP/1.1"
    seen: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append({**body, "authorization": self.headers.get("authorization")})
        if body["model"] == "refused":
            self._send(429, {"error": {"message": "too many requests"}})
        elif body["model"] == "odd":
            self._send(200, {"choices": []})
        elif body["model"] == "failed":
            self._send(200, {"error": "no room"})
        elif body.get("stream"):
            self._stream(body["model"])
        else:
            choice = {"message": {"content": "a b c"}}
            self._send(200, {"choices": [choice], "usage": USAGE})

    def _send(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _stream(self, model: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for event in STREAMS.get(model, PIECES):
            self._event(event)
        if model != "cut":
            self._event({"choices": [], "usage": USAGE})
            self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _event(self, data: Any) -> None:
        self.wfile.write(f"data: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Takes a hundred connections at once, also on a busy computer."""

    request_queue_size = 256


@contextmanager
def engine() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Give the address of a running engine, and the requests that it has seen."""
    seen: list[dict[str, Any]] = []
    kind = type("Seeing", (Engine,), {"seen": seen})
    server = Server(("127.0.0.1", 0), kind)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
