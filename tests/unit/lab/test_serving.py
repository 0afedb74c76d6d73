"""What the lab offers to serve with: real daemons on loopback, recorded and taken back."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from flightline.errors import FlightlineError
from flightline.lab import mirror, places
from flightline.lab.serving import Offer, daemons, engine, offer, offered, stand
from flightline.lab.serving.offer import Daemon

DIGEST = "sha256:" + "a" * 64
OFFER = Offer(Daemon(5001), Daemon(8001), "llama-server", DIGEST, "tiny", {"1": "b" * 64})


@pytest.fixture(autouse=True)
def _own_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FLIGHTLINE_LAB_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
    stand.stop(forget=True)


def answer(address: str, **headers: str) -> tuple[int, bytes]:
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as response:
        return response.status, response.read()


def test_nothing_is_offered_before_serve() -> None:
    assert offered() is None
    assert not stand.stop(forget=False)


def test_an_offer_is_read_back_as_written() -> None:
    offer.write(OFFER)
    assert offered() == OFFER


def test_nodes_are_told_the_address_that_leads_here() -> None:
    assert OFFER.image == f"10.0.2.2:5001/llama-server@{DIGEST}"
    assert OFFER.source("1") == "http://10.0.2.2:8001/tiny/1"


def test_a_damaged_record_is_named_with_the_way_out() -> None:
    offer.record().write_text("{}")
    with pytest.raises(FlightlineError, match=r"serving\.json is not the record.*lab serve"):
        offered()
    offer.record().unlink()


def test_the_registry_answers_on_loopback_and_keeps_running_where_it_runs() -> None:
    first = daemons.registry(None, offer.folder())
    try:
        assert answer(f"http://127.0.0.1:{first.port}/v2/") == (200, b"{}")
        assert daemons.registry(first, offer.folder()) == first
    finally:
        daemons.stop(first)
    assert not first.is_running


def test_a_mirror_that_died_comes_back_at_its_port() -> None:
    first = daemons.mirror(None, offer.folder())
    daemons.stop(first)
    second = daemons.mirror(first, offer.folder())
    try:
        assert second.port == first.port
        assert second.pid != first.pid
    finally:
        daemons.stop(second)


def test_the_mirror_serves_a_part_of_a_file_so_that_a_fetch_can_go_on() -> None:
    (offer.folder() / "models").mkdir()
    (offer.folder() / "models" / "file").write_bytes(b"0123456789")
    mirror_ = daemons.mirror(None, offer.folder())
    try:
        address = f"http://127.0.0.1:{mirror_.port}/file"
        assert answer(address, Range="bytes=4-") == (206, b"456789")
    finally:
        daemons.stop(mirror_)


def test_a_daemon_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemons, "REGISTRY", "version: nonsense\n")
    with pytest.raises(FlightlineError, match=r"docker-registry does not serve on 127\.0\.0\.1"):
        daemons.registry(None, offer.folder())


def test_a_stranger_that_took_over_the_number_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        daemons.stop(Daemon(1, pid=stranger.pid, started=1), seconds=0.1)
        assert stranger.poll() is None
        stranger.kill()


def test_each_version_is_published_whole(tmp_path: Path) -> None:
    first = stand._published(tmp_path)
    assert stand._published(tmp_path) == first
    assert set(first) == {"1", "2"}
    assert (tmp_path / "tiny" / "1" / "model.gguf").stat().st_size > 2**17


def test_the_packages_are_checked_and_come_from_this_computers_mirror() -> None:
    source = mirror.Mirror("http://mirror.example/debian")
    command = engine._fetch_command(Path("/x/all.tar"), source)
    assert f"deb [signed-by={mirror.KEYRING}] http://mirror.example/debian sid main" in command
    assert "--include=llama.cpp-tools" in command
    assert not any("trusted" in word or "AllowInsecure" in word for word in command)


def test_the_image_that_is_pulled_is_the_one_that_was_made(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(json.dumps({"manifests": [{"digest": DIGEST}]}))
    assert engine.digest_of(tmp_path) == DIGEST


def test_packages_of_another_mirror_are_another_image() -> None:
    source = mirror.Mirror("http://mirror.example/debian")
    before = engine._key(source)
    assert engine._key(source) == before
    assert engine._key(mirror.Mirror("http://other.example/debian")) != before


def test_taking_back_leaves_nothing() -> None:
    offer.write(OFFER)
    offer.folder()
    stand.stop(forget=True)
    assert offered() is None
    assert not (places.state() / "serving").exists()
