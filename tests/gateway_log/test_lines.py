"""What HAProxy writes of a request: one JSON object, whatever a client sends."""

from __future__ import annotations

import datetime
import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flightline.serving import keys
from roles.gateway import audit_log
from roles.gateway.log_settings import AuditLogSettings
from tests.gateway_log.programs import MISSING, Log, moved, until
from tests.unit.conftest import free_port

CONFIG = """
global
  maxconn 100
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend clients
  bind 127.0.0.1:{port}
  {target}
  log-format {format}
  unique-id-format {unique_id}
  option http-buffer-request
  option dontlognull
  {captures}
  http-request set-var(txn.who) req.hdr(x-who)
  http-request set-var(txn.model) req.body,json_query('$.model')
  http-request return status 200 hdr x-request-id "%[unique-id]" if {{ path_beg /own }}
  default_backend model.chat
backend model.chat
  server node-1.chat-b 127.0.0.1:{engine}
frontend engine
  bind 127.0.0.1:{engine}
  http-request return status 200
"""

FIELDS = {
    "time", "request", "who", "role", "auth", "source", "source_port", "tls", "method", "path",
    "model", "status", "bytes_in", "bytes_out", "headers_ms", "total_ms", "backend", "server",
    "slot", "termination",
}  # fmt: skip


class Front:
    """HAProxy that answers, and the log that it writes to."""

    def __init__(self, log: Log, declared: AuditLogSettings) -> None:
        self.log = log
        self.port = free_port()
        captures = (*audit_log.request_captures(declared), *audit_log.response_captures())
        text = CONFIG.format(
            port=self.port,
            engine=free_port(),
            target=moved(audit_log.log_target(declared), log.folder),
            format=audit_log.log_format(declared),
            unique_id=audit_log.UNIQUE_ID,
            captures="\n  ".join(captures),
        )
        config = log.folder / "haproxy.cfg"
        config.write_text(text)
        self.process = subprocess.Popen(["haproxy", "-db", "-f", str(config)])
        assert until(lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0)
        self.lines()  # those of the trial above

    def lines(self) -> list[str]:
        return self.log.lines()

    def raw(self, request: bytes) -> str:
        """Send bytes; return the line that they gave."""
        before = len(self.lines())
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(request)
            connection.settimeout(5)
            while connection.recv(65_536):
                pass
        assert until(lambda: len(self.lines()) > before)
        return self.lines()[-1]

    def post(self, body: bytes, path: bytes = b"/own", who: bytes = b"alice") -> dict[str, Any]:
        head = b"POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nx-who: %s\r\n" % (path, who)
        line = self.raw(head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        found: dict[str, Any] = json.loads(line)
        return found


@pytest.fixture(scope="module")
def make_front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Front]]:
    if MISSING:
        pytest.skip(f"{', '.join(MISSING)} is not installed; `make setup` installs it")
    made: list[Front] = []

    def make(declared: AuditLogSettings) -> Front:
        log = Log(tmp_path_factory.mktemp("front"), declared)
        log.start()
        made.append(Front(log, declared))
        return made[-1]

    yield make
    for each in made:
        each.process.terminate()
        each.process.wait()
        each.log.stop()


@pytest.fixture(scope="module")
def front(make_front: Callable[..., Front]) -> Front:
    return make_front(AuditLogSettings())


@pytest.fixture(scope="module")
def with_prompts(make_front: Callable[..., Front]) -> Front:
    return make_front(AuditLogSettings(prompt_bytes=1024))


def asked(model: str) -> bytes:
    return json.dumps({"model": model}, ensure_ascii=False).encode()


def test_a_line_says_who_asked_what_when_with_what_result(front: Front) -> None:
    before = datetime.datetime.now(datetime.UTC)
    found = front.post(asked("chat"))
    assert set(found) == FIELDS
    assert (found["who"], found["model"], found["method"]) == ("alice", "chat", "POST")
    assert (found["path"], found["status"], found["source"]) == ("/own", 200, "127.0.0.1")
    moment = datetime.datetime.strptime(found["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs((moment - before).total_seconds()) < 5
    assert found["bytes_in"] > 50
    assert found["total_ms"] >= 0
    assert len(found["request"]) == 36


def test_the_slot_is_that_of_the_server(front: Front) -> None:
    found = front.post(asked("chat"), path=b"/v1/chat/completions")
    assert (found["backend"], found["server"]) == ("model.chat", "node-1.chat-b")
    assert found["slot"] == "b"
    assert found["headers_ms"] >= 0
    assert found["termination"] == "--"


HOSTILE = [
    'a"b', "a\\", 'x","role":"admin', "line\nbreak", "tab\there", "\u0001\u001f\u007f", "é", "a😀b",
    "\u2028", "]}", "%[date]", "'", "a" * 5000, "é" * 5000, "\\u0000", "</script>", "{}",
]  # fmt: skip


@pytest.mark.parametrize("model", HOSTILE, ids=range(len(HOSTILE)))
def test_no_model_name_can_break_a_line(front: Front, model: str) -> None:
    found = front.post(asked(model))
    assert set(found) == FIELDS
    assert found["role"] == "-"
    kept = model.encode()[:128].decode(errors="ignore").replace("😀", "")  # HAProxy 2.6: BMP only
    assert found["model"] == kept


@given(st.binary(max_size=300))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_body_and_no_header_can_break_a_line(with_prompts: Front, content: bytes) -> None:
    who = bytes(byte for byte in content if byte not in b"\r\n\0") or b"x"
    found = with_prompts.post(b'{"model":"' + content + b'"}', who=who)
    assert set(found) == FIELDS | {"prompt"}


@given(st.text(st.characters(codec="ascii", exclude_categories=("Cc", "Zs")), max_size=200))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_path_can_break_a_line(front: Front, path: str) -> None:
    line = front.raw(f"GET /own{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert set(json.loads(line)) == FIELDS


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"garbage\r\n\r\n",
        b'G"T / HTTP/1.1\r\n\r\n',
        b"GET /\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
    ],
)
def test_what_is_no_request_gives_a_line_as_well(front: Front, request_bytes: bytes) -> None:
    found = json.loads(front.raw(request_bytes))
    assert set(found) == FIELDS
    assert found["status"] == 400


def test_neither_key_nor_prompt_nor_query_is_in_the_log(front: Front) -> None:
    key = keys.new_key()
    head = f"POST /own?key={key} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n"
    body = json.dumps({"model": "chat", "messages": "SECRET PROMPT"})
    front.raw(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    text = "\n".join(front.lines())
    assert key not in text
    assert "SECRET" not in text


def test_a_prompt_is_kept_only_as_far_as_a_setting_says(with_prompts: Front) -> None:
    found = with_prompts.post(b'{"model":"chat","prompt":"' + b"x" * 3000 + b'"}')
    assert found["prompt"].startswith('{"model":"chat","prompt":"xxx')
    assert len(found["prompt"]) == 1024


def test_the_longest_line_fits(with_prompts: Front) -> None:
    found = with_prompts.post(b"\x01" * 2000, path=b"/own" + b'"' * 4000, who=b'"' * 3000)
    assert set(found) == FIELDS | {"prompt"}
    assert len(found["path"]) == 256


def test_the_client_gets_the_id_of_its_line(front: Front, tmp_path: Path) -> None:
    with socket.create_connection(("127.0.0.1", front.port)) as connection:
        connection.sendall(b"GET /own HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = connection.recv(4096).decode()
    shown = next(line for line in answer.splitlines() if line.startswith("x-request-id: "))
    assert until(lambda: shown.partition(": ")[2] in front.lines()[-1])
