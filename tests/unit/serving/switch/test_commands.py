"""Commands that nodes get, tried with this computer's own shell, curl and files."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flightline.serving import state
from flightline.serving.switch import engines, entrance, probes
from flightline.serving.switch.ssh import scripted
from flightline.serving.switch.targets import Gateway


def sh(script: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", script], input=stdin, capture_output=True, text=True, check=False
    )


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(codec="ascii", exclude_characters="\0\r"), max_size=200))
@example('{"a": "$HOME `id` \\\\ \\" \'"}')
@example("EOF\nEND\n")
def test_standard_input_arrives_as_it_is(text: str) -> None:
    done = sh(f"eval {_quoted(scripted('cat', text))}")
    assert done.stdout == (text if text.endswith("\n") or not text else f"{text}\n")


def _quoted(script: str) -> str:
    return "'" + script.replace("'", "'\\''") + "'"


def test_what_dash_would_spoil_is_not_sent() -> None:
    """dash 0.5.12 drops bytes of a here-document in an eval, such as the first of U+0080."""
    with pytest.raises(ValueError, match="ASCII"):
        scripted("cat", "\x80")
    assert engines.chat_body("tiny", "\x80é", 8).isascii()


def test_a_failed_command_is_told_by_its_status() -> None:
    assert sh(scripted("cat >/dev/null; exit 7", "x")).returncode == 7


def test_a_state_is_written_whole(tmp_path: Path) -> None:
    held = state.dumps(state.fresh("tiny", "v1"))
    command = engines.write_state("chat").replace("/var/lib/flightline/serving", str(tmp_path))
    assert sh(command, held).returncode == 0
    assert [each.name for each in tmp_path.iterdir()] == ["chat.json"]
    assert (tmp_path / "chat.json").read_text() == held
    assert (tmp_path / "chat.json").stat().st_mode & 0o777 == 0o644


def test_the_link_is_turned_in_one_rename(tmp_path: Path) -> None:
    for version in ("v1", "v2", "v2"):
        (tmp_path / "tiny" / version).mkdir(parents=True, exist_ok=True)
        assert sh(engines.link(str(tmp_path), "tiny", version)).returncode == 0
        assert (tmp_path / "tiny/current").readlink() == Path(version)
    assert {each.name for each in (tmp_path / "tiny").iterdir()} == {"v1", "v2", "current"}


class Engine(BaseHTTPRequestHandler):
    seen: ClassVar[list[tuple[str, str | None, str]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.seen.append((self.path, self.headers["authorization"], body))
        self.send_response(200)
        self.end_headers()
        if json.loads(body).get("stream"):
            self.wfile.write(b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n')
            threading.Event().wait(0.3)
            self.wfile.write(b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n')
        else:
            self.wfile.write(b'{"choices": []}')

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def test_the_first_token_is_timed_and_not_the_first_line(port: int) -> None:
    body = engines.chat_body("tiny", "Hi", 8, stream=True)
    took = probes.first_token_seconds(sh(probes.command(port), body).stdout)
    assert took is not None
    assert 0.28 < took < 3


def test_an_engine_that_is_not_there_gives_no_token() -> None:
    assert probes.first_token_seconds(sh(probes.command(1), "{}").stdout) is None
    assert probes.first_token_seconds("") is None
    assert probes.first_token_seconds("12\n13 error: no such model\n") is None


def test_a_chat_shows_answer_status_and_time(port: int) -> None:
    out = sh(engines.chat(port, 5), engines.chat_body("tiny", "a\n\"b'", 8)).stdout
    text, last = out.rstrip("\n").split("\n")
    assert (text, last.split()[0]) == ('{"choices": []}', "200")
    assert json.loads(Engine.seen[-1][2])["messages"][0]["content"] == "a\n\"b'"


@pytest.mark.parametrize("prompt", ["plain", 'with "quotes" and \\ and \n and \t and é'])
def test_a_key_travels_beside_the_arguments(port: int, prompt: str) -> None:
    gateway = Gateway("n", f"http://127.0.0.1:{port}", ())
    body = engines.chat_body("tiny", prompt, 8)
    command = entrance.command(5)
    out = sh(command, entrance.chat(gateway, "sk-very-secret", body)).stdout
    assert entrance.status(out) == "200"
    path, key, arrived = Engine.seen[-1]
    assert (path, key) == ("/v1/chat/completions", "Bearer sk-very-secret")
    assert json.loads(arrived) == json.loads(body)
    assert "secret" not in command


def test_a_small_share_gets_more_requests_and_never_many() -> None:
    assert [entrance.count(weight) for weight in (1, 10, 50, 100)] == [20, 20, 4, 2]
