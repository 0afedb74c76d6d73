"""Under load: nothing that operators do fails a request or cuts a stream."""

from __future__ import annotations

import csv
import http.client
import json
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.gateway.client import KEY, certificate, send
from tests.gateway.conftest import Make
from tests.gateway.rig import Rig

A, B = "model.chat/n1.chat-a", "model.chat/n1.chat-b"
LEAST = 500
TOKENS = 12


@dataclass
class Load:
    """Clients that go on until told to stop: some stream, some keep their connection."""

    rig: Rig
    troubles: list[str] = field(default_factory=list)
    done: int = 0
    streamed: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Load:
        kinds: list[Callable[[], None]] = [self._fresh, self._fresh, self._lasting, self._lasting]
        kinds += [self._streaming, self._streaming, self._streaming]
        self.clients = [threading.Thread(target=each) for each in kinds]
        for each in self.clients:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for each in self.clients:
            each.join(60)

    def reach(self, count: int, streamed: int = 0, seconds: float = 90) -> None:
        """Wait until so many requests were answered, and so many of them streamed."""
        until = time.monotonic() + seconds
        while (self.done < count or self.streamed < streamed) and time.monotonic() < until:
            time.sleep(0.05)

    def _fresh(self) -> None:
        while not self.stopping.is_set():
            with self.rig.connection() as connection:
                self._one(connection)

    def _lasting(self) -> None:
        with self.rig.connection() as connection:
            while not self.stopping.is_set():
                self._one(connection)

    def _one(self, connection: http.client.HTTPSConnection) -> None:
        self._count(lambda: self._whole(connection))

    def _whole(self, connection: http.client.HTTPSConnection) -> str:
        body = {"model": "chat", "sleep": 0.01}
        answer = send(connection, "POST", "/v1/chat/completions", body)
        return "" if answer.status == 200 else f"{answer.status} {answer.body!r}"

    def _streaming(self) -> None:
        while not self.stopping.is_set():
            with self.rig.connection() as connection:
                self._count(lambda c=connection: self._stream(c))  # type: ignore[misc]

    def _stream(self, connection: http.client.HTTPSConnection) -> str:
        asked = {"model": "chat", "stream": True, "max_tokens": TOKENS, "pause": 0.03}
        answer = send(connection, "POST", "/v1/chat/completions", asked)
        events = [line for line in answer.body.decode().split("\n\n") if line]
        self.streamed += 1
        whole = len(events) == TOKENS + 1 and events[-1] == "data: [DONE]"
        return "" if answer.status == 200 and whole else f"{answer.status}: {len(events)} events"

    def _count(self, request: Callable[[], str]) -> None:
        try:
            trouble = request()
        except (OSError, http.client.HTTPException) as error:
            trouble = repr(error)
        self.done += 1
        if trouble:
            self.troubles.append(f"{time.monotonic():.2f} {trouble}")


@pytest.fixture
def pair(make: Make) -> Rig:
    """Return a gateway with an engine in each slot, both serving."""
    rig = make(requests_per_minute=1_000_000)
    rig.engine(rig.upstreams[0].slot_port("b"), "n1.chat-b")
    rig.up(2)
    rig.ctl(f"set weight {B} 100")
    return rig


def reloads(rig: Rig) -> None:
    for _ in range(4):
        rig.reload()
        time.sleep(0.5)


def rotates(rig: Rig) -> None:
    for number in range(4):
        certificate(rig.pki, "gateway.pem", f"gateway.{number}")
        assert rig.run("gateway-certificates").returncode == 0
        time.sleep(0.3)


def switches(rig: Rig) -> None:
    for weight in (10, 50, 100):
        rig.ctl(f"set weight {A} {100 - weight}", f"set weight {B} {weight}")
        time.sleep(0.4)
    rig.ctl(f"set server {A} state drain")
    rig.ctl(f"set weight {A} 100", f"set server {A} state ready", f"set weight {B} 0")


def drains(rig: Rig) -> None:
    for server in (A, B, A):
        rig.ctl(f"set server {server} state drain")
        time.sleep(0.5)
        rig.ctl(f"set server {server} state ready")


@pytest.mark.parametrize("act", [reloads, rotates, switches, drains])
def test_under_load_nothing_fails_and_nothing_is_cut(pair: Rig, act: Callable[[Rig], None]) -> None:
    with Load(pair) as load:
        load.reach(50)
        act(pair)
        load.reach(LEAST, 30)
    assert not load.troubles, load.troubles[:5]
    assert load.done >= LEAST
    assert load.streamed >= 30


def test_an_engine_that_hangs_up_without_a_word_is_asked_but_once(pair: Rig) -> None:
    with Load(pair) as load:
        load.reach(LEAST, 40)
    rows = csv.DictReader(pair.ctl("show stat").splitlines())
    servers = [row for row in rows if row["svname"].startswith("n1.")]
    assert sum(int(row["lbtot"]) for row in servers) >= LEAST
    assert sum(int(row["wretr"]) for row in servers) == 0


def test_an_engine_that_dies_fails_no_request_that_has_no_answer_yet(pair: Rig) -> None:
    with Load(pair) as load:
        load.reach(100)
        pair.kill(pair.upstreams[0].slot_port("a"))
        load.reach(400)
        pair.engine(pair.upstreams[0].port, "n1.chat-a")
        pair.up(2)
        load.reach(LEAST + 200)
    # a stream that had begun on the dead engine cannot be continued: HAProxy has sent its beginning
    cut = [each for each in load.troubles if "events" in each or "IncompleteRead" in each]
    assert load.troubles == cut, load.troubles[:5]
    assert len(cut) <= 3  # as many as streamed at that moment
    assert load.done >= LEAST


def test_a_drained_engine_ends_what_it_began(pair: Rig) -> None:
    answers: list[str] = []

    def ask() -> None:
        with pair.connection() as connection:
            asked = {"model": "chat", "stream": True, "max_tokens": 20, "pause": 0.1}
            answer = send(connection, "POST", "/v1/chat/completions", asked)
            answers.append(answer.body.decode())

    pair.ctl(f"set weight {B} 0")
    client = threading.Thread(target=ask)
    client.start()
    time.sleep(0.5)
    pair.ctl(f"set server {A} state drain", f"set weight {B} 100")
    assert pair.chat().json["engine"] == "n1.chat-b"
    client.join(20)
    assert answers[0].count("n1.chat-a") == 20


def test_tokens_arrive_one_by_one(pair: Rig) -> None:
    moments: list[float] = []
    with pair.connection() as connection:
        body = json.dumps({"model": "chat", "stream": True, "max_tokens": 6, "pause": 0.2})
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        while answer.readline():
            moments.append(time.monotonic())
    assert moments[-1] - moments[0] > 0.8


def test_over_http2_streams_outlive_reloads(pair: Rig) -> None:
    asked = json.dumps({"model": "chat", "stream": True, "max_tokens": 30, "pause": 0.05})
    command = [
        "curl", "-skN", "--http2", "-m", "30", "-H", f"x-api-key: {KEY}",
        "-H", "content-type: application/json", "-d", asked, "-w", "%{http_version} %{http_code}",
        f"https://127.0.0.1:{pair.port}/v1/chat/completions",
    ]  # fmt: skip
    clients = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(10)]
    time.sleep(0.5)
    pair.reload()
    pair.reload()
    for client in clients:
        said = client.communicate(timeout=40)[0].decode()
        assert said.endswith("2 200")
        assert said.count("data: {") == 30


def test_a_stop_lets_answers_end(pair: Rig) -> None:
    answers: list[int] = []
    client = threading.Thread(target=lambda: answers.append(pair.chat(sleep=2).status))
    client.start()
    time.sleep(0.7)
    pair.stop()
    client.join(20)
    assert answers == [200]
