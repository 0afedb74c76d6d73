"""Enough of Docker's API, on a socket, for its real client: it keeps what it is asked to make."""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

ID = "f" * 64


class Daemon(socketserver.ThreadingUnixStreamServer):
    """One engine with containers and images by name, as `docker inspect` shows them."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Handler)
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.containers: dict[str, dict[str, Any]] = {}
        self.images: dict[str, dict[str, Any]] = {}


class _Handler(BaseHTTPRequestHandler):
    server: Daemon
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "docker"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(200, None)

    def do_GET(self) -> None:
        path = re.sub(r"^/v[0-9.]+", "", self.path).partition("?")[0]
        if path == "/_ping":
            return self._answer(200, None)
        if path == "/version":
            return self._answer(200, {"Version": "28.5.1", "ApiVersion": "1.45"})
        if path == "/containers/json":
            made = self.server.containers.values()
            return self._answer(
                200, [{"Id": each["Id"], "Labels": each["Config"]["Labels"]} for each in made]
            )
        kind, name = re.fullmatch(r"/(containers|images)/(.*)/json", path).groups()  # type: ignore[union-attr]
        known = getattr(self.server, kind)
        found = known.get(name) or next(
            (each for each in known.values() if each["Id"] == name), None
        )
        return self._answer(200 if found else 404, found or {"message": f"No such {kind}: {name}"})

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size) or b"{}")
        if "/containers/create" in self.path:
            name = self.path.partition("name=")[2].partition("&")[0]
            self.server.made.append((name, body))
            return self._answer(201, {"Id": ID, "Warnings": []})
        return self._answer(204, None)

    def _answer(self, status: int, body: object) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Api-Version", "1.45")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextmanager
def daemon(path: Path) -> Iterator[Daemon]:
    """Yield a daemon that listens on a path, which must be short."""
    with Daemon(path) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
