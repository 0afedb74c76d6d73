"""What tests of a gateway do as its clients, and what they need to be some."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY, ADMIN = "fl-key-of-ada", "fl-key-of-root"


def free_port() -> int:
    """Return a port that nobody listens on; its neighbour is free too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return port


def entry(key: str, role: str, name: str, *limits: object) -> str:
    """Return the map's line of a key; limits: a minute, a day, end."""
    hashed = hashlib.sha256(key.encode()).hexdigest().upper()
    told = [str(each) if each else "" for each in (*limits, None, None, None)[:3]]
    return f"{hashed} {role}|{name}|{'|'.join(told)}\n"


@dataclass(frozen=True)
class Answer:
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code, as OpenAI's clients read it."""
        return str(self.json["error"]["code"])


def send(
    through: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any = None,
    key: str | None = KEY,
    **headers: str,
) -> Answer:
    """Send one request and read its whole answer; underscores in header names become dashes."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        told.setdefault("authorization", f"Bearer {key}")
    if body is not None:
        told.setdefault("content-type", "application/json")
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    through.request(method, path, data, told)
    got = through.getresponse()
    return Answer(got.status, {n.lower(): v for n, v in got.getheaders()}, got.read())


def trusting() -> ssl.SSLContext:
    """Return a client that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate(
    folder: Path, name: str, common_name: str, authority: Path | None = None, unit: str = ""
) -> None:
    """Make a key and a certificate, both in `name`; without an authority it signs itself.

    `unit`: the subject's organizational unit, which says whose authority it is.
    """
    subject = f"/CN={common_name}" + (f"/OU={unit}" if unit else "")
    signer = ["-CA", f"{authority}.crt", "-CAkey", f"{authority}.key"] if authority else []
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-keyout", key, "-out", cert, "-subj", subject,
         *signer, "-addext", f"subjectAltName=DNS:{common_name},DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / name).write_text(key.read_text() + cert.read_text())


def wait(
    condition: Any, otherwise: str, seconds: float = 15, said: Callable[[], str] = str
) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{otherwise} {said()}")


def listens(port: int) -> bool:
    """Whether somebody takes connections on a port of loopback."""
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
