"""An engine that streams chat answers in the words of OpenAI's API: `chat_engine.py PORT`.

A model called slow pauses, one called cut ends within a token, one called broken answers 500.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Engine(BaseHTTPRequestHandler):
    """One request for each connection."""

    def do_GET(self) -> None:
        """Be healthy."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        """Stream a role, tokens, usage and the end."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model, count = asked["model"], asked["max_tokens"]
        if model == "broken":
            self.send_error(500)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self._say({"delta": {"role": "assistant", "content": ""}})
        time.sleep(1 if model == "slow" else 0.2)
        for number in range(count):
            self._say({"delta": {"content": f"w{number} "}})
            time.sleep(0.1 if model == "slow" else 0.01)
            if model == "cut" and number > 2:
                return
        usage = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": count}}
        self.wfile.write(f"data: {json.dumps(usage)}\n\ndata: [DONE]\n\n".encode())

    def _say(self, choice: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Engine).serve_forever()
