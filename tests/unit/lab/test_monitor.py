"""The monitor speaks QMP as its specification describes it, and never waits for ever."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flightline.lab import monitor
from flightline.lab.monitor import Monitor, MonitorError, monitor_of

GREETING: dict[str, Any] = {"QMP": {"version": {}, "capabilities": []}}


@contextmanager
def qemu(path: Path, *answers: Any) -> Iterator[list[dict[str, Any]]]:
    """Play QEMU: greet, answer each command with the next answer (a list of lines), close."""
    heard: list[dict[str, Any]] = []
    listener = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    try:
        # A path longer than a socket address can only be bound from inside its folder.
        os.chdir(path.parent)
        listener.bind(path.name)
    finally:
        os.chdir(here)
    listener.listen(1)

    def serve() -> None:
        end, _ = listener.accept()
        with end, end.makefile("rwb") as stream:
            stream.write(json.dumps(GREETING).encode() + b"\n")
            stream.flush()
            for answer in ({"return": {}}, *answers):
                heard.append(json.loads(stream.readline()))
                for line in answer if isinstance(answer, list) else [answer]:
                    stream.write(json.dumps(line).encode() + b"\r\n")
                stream.flush()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield heard
    thread.join(5)
    listener.close()


@contextmanager
def talking(folder: Path, *answers: Any) -> Iterator[tuple[Monitor, list[dict[str, Any]]]]:
    """Open a session with a QEMU that gives these answers; what it heard comes along."""
    with qemu(folder / "qmp.sock", *answers) as heard, monitor_of(folder / "qmp.sock") as session:
        yield session, heard


def test_a_session_negotiates_and_returns_the_answer(tmp_path: Path) -> None:
    with talking(tmp_path, {"return": {"status": "running"}}) as (session, heard):
        assert session.execute("query-status") == {"status": "running"}
    assert [line["execute"] for line in heard] == ["qmp_capabilities", "query-status"]


def test_events_between_command_and_answer_are_dropped(tmp_path: Path) -> None:
    with talking(tmp_path, [{"event": "STOP"}, {"event": "RESUME"}, {"return": 7}]) as (session, _):
        assert session.execute("anything") == 7


def test_a_refusal_becomes_a_sentence_with_qemus_reason(tmp_path: Path) -> None:
    refusal = {"error": {"class": "GenericError", "desc": "no such device"}}
    reason = pytest.raises(MonitorError, match="refused device_del: no such device")
    with talking(tmp_path, refusal) as (session, _), reason:
        session.execute("device_del", id="x")


def test_a_monitor_that_closes_is_an_error_and_not_a_wait(tmp_path: Path) -> None:
    with talking(tmp_path) as (session, _), pytest.raises(MonitorError):
        session.execute("query-status")


def test_a_silent_monitor_is_left_after_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "ANSWER_SECONDS", 0.2)
    silence = pytest.raises(MonitorError, match=r"does not answer|closed")
    with talking(tmp_path, []) as (session, _), silence:
        session.execute("query-status")


def test_no_monitor_is_an_error_naming_the_socket(tmp_path: Path) -> None:
    nothing = pytest.raises(MonitorError, match=r"qmp\.sock")
    with nothing, monitor_of(tmp_path / "qmp.sock", seconds=0.1):
        pass


def test_a_socket_deep_in_the_tree_is_reached(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    with talking(deep, {"return": 1}) as (session, _):
        assert session.execute("query-status") == 1


def test_a_failed_migration_ends_the_wait_with_its_reason(tmp_path: Path) -> None:
    failed = {"return": {"status": "failed", "error-desc": "wrong version"}}
    reason = pytest.raises(MonitorError, match="wrong version")
    with talking(tmp_path, failed) as (session, _), reason:
        session.wait_for_migration(5)
