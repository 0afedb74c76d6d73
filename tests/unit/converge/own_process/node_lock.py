"""The lock over real connections: held by the kernel, gone with the connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flightline import node_lock
from flightline.converge import session as sessions

Connect = Callable[[], Any]


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sshd: Any) -> Iterator[Connect]:
    """Return a new connection to the same node each time."""
    (tmp_path / "roles").mkdir()
    (tmp_path / "deploy.py").write_text("")
    (tmp_path / "here.py").write_text(f"gpu = [('node', {sshd.data!r})]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(node_lock, "LOCK", str(tmp_path / "lock"))
    made = []

    def make() -> Any:
        session = sessions.opened("here.py")
        session.open()
        made.append(session)
        return session.hosts[0]

    yield make
    for session in made:
        session.close()


def test_a_second_run_is_refused_with_the_name_of_the_first(connect: Connect) -> None:
    assert node_lock.take(connect()) == ""
    refused = node_lock.take(connect())
    assert "another run holds" in refused
    assert "@" in refused
    assert "since 20" in refused


def test_taking_a_lock_that_is_held_sends_nothing(connect: Connect) -> None:
    from flightline.transport import counts

    host = connect()
    node_lock.take(host)
    before = counts(host)
    assert node_lock.take(host) == ""
    assert counts(host) == before


def test_the_lock_is_free_when_the_connection_ends(connect: Connect) -> None:
    first = connect()
    node_lock.take(first)
    first.disconnect()
    second = connect()
    for _ in range(50):
        if not (refused := node_lock.take(second)):
            break
    assert refused == ""


def test_a_lock_is_taken_again_on_a_new_connection(connect: Connect) -> None:
    host = connect()
    node_lock.take(host)
    host.disconnect()
    host.connect(raise_exceptions=True)
    for _ in range(50):
        if not (refused := node_lock.take(host)):
            break
    assert refused == ""
    assert "another run holds" in node_lock.take(connect())


def test_a_lock_that_cannot_be_written_names_the_remedy(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_lock, "LOCK", "/proc/nowhere/lock")
    assert "could not be taken as root" in node_lock.take(connect())
