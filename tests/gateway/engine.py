"""A stand-in for an engine: answers like OpenAI's API, says who it is and what headers it was sent.

Run as `python engine.py PORT NAME`; ends on SIGKILL alone, as an engine that dies does.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAME = sys.argv[2] if len(sys.argv) > 2 else "engine"


class Engine(BaseHTTPRequestHandler):
    """One request after the other on a connection, streaming where asked to.

    After a stream it hangs up without having said so, as llama-server does (b11669, 2026-11-21).
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    health_seconds = 0.0
    """How long a health check takes; a request's `health_seconds` sets it."""

    def do_GET(self) -> None:
        """Health, and what an engine would answer on paths that must not be reached."""
        time.sleep(Engine.health_seconds)
        self._say(200, {"engine": NAME, "path": self.path})

    def do_POST(self) -> None:
        """Echo what came; with `stream`, that many tokens as server-sent events."""
        asked = self._body()
        if asked.get("stream"):
            self._stream(int(asked.get("max_tokens", 5)), float(asked.get("pause", 0.01)))
            return
        Engine.health_seconds = float(asked.get("health_seconds", Engine.health_seconds))
        time.sleep(float(asked.get("sleep", 0)))
        self._say(
            200,
            {
                "engine": NAME,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "bytes": self.length,
                "choices": [{"message": {"role": "assistant", "content": "hello"}}],
            },
        )

    def _body(self) -> dict[str, Any]:
        if self.headers.get("transfer-encoding") == "chunked":
            raw = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.length = len(raw)
        return dict(json.loads(raw)) if raw[:1] == b"{" else {}

    def _stream(self, tokens: int, pause: float) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number in range(tokens):
            self._chunk(f"data: {json.dumps({'engine': NAME, 'token': number})}\n\n".encode())
            time.sleep(pause)
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")
        time.sleep(0.001)
        self.close_connection = True

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _say(self, status: int, what: dict[str, Any]) -> None:
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


class Server(ThreadingHTTPServer):
    """Takes a burst of connections."""

    request_queue_size = 256

    def handle_error(self, *_: Any) -> None:
        """Keep quiet: HAProxy resets the connections of its health checks."""


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Engine).serve_forever()
