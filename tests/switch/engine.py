"""A stand-in engine: answers like an OpenAI-compatible server, one token at a time.

Run as `engine.py PORT MODEL VERSION BEHAVIOUR`; BEHAVIOUR is a JSON object: token_seconds, tokens,
first_seconds, start_seconds, answer, fails (share of requests that are answered 500).
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PORT, MODEL, VERSION = int(sys.argv[1]), sys.argv[2], sys.argv[3]
BEHAVIOUR = {
    "token_seconds": 0.01, "tokens": 10, "first_seconds": 0.01, "start_seconds": 0.0,
    "answer": "word", "fails": 0.0, **json.loads(sys.argv[4]),
}  # fmt: skip
READY = time.monotonic() + BEHAVIOUR["start_seconds"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(200 if time.monotonic() >= READY else 503, {})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if random.random() < BEHAVIOUR["fails"]:
            self._answer(500, {"error": "broken"})
            return
        time.sleep(BEHAVIOUR["first_seconds"])
        tokens = min(asked.get("max_tokens", 10), BEHAVIOUR["tokens"])
        self._stream(tokens) if asked.get("stream") else self._whole(tokens)

    def _whole(self, tokens: int) -> None:
        time.sleep(tokens * BEHAVIOUR["token_seconds"])
        text = " ".join([BEHAVIOUR["answer"]] * tokens).strip()
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self._answer(200, {"model": MODEL, "version": VERSION, "choices": [choice]})

    def _stream(self, tokens: int) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self._event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        for _ in range(tokens):
            choice = {"delta": {"content": f"{BEHAVIOUR['answer']} "}}
            self._event({"model": MODEL, "version": VERSION, "choices": [choice]})
            time.sleep(BEHAVIOUR["token_seconds"])
        self._chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, data: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(data).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # health checks close their connection early


def outlive_nobody() -> None:
    while Path(f"/proc/{os.environ['RIG_OWNER']}").exists():
        time.sleep(1)
    os._exit(0)


threading.Thread(target=outlive_nobody, daemon=True).start()
Server(("127.0.0.1", PORT), Handler).serve_forever()
