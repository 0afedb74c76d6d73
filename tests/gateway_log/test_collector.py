"""The collector as it runs: rsyslog with the role's configuration, logrotate, a SIEM over TLS."""

from __future__ import annotations

import datetime
import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from roles.gateway.log_settings import AuditLogSettings, SiemSettings
from tests.gateway_log.programs import Authority, Log, Siem, until
from tests.unit.conftest import free_port


def numbered(first: int, count: int) -> list[str]:
    return [f'{{"request":{number}}}' for number in range(first, first + count)]


def test_lines_that_came_before_the_collector_started_are_kept(log: Log) -> None:
    log.send(*numbered(0, 5))  # the first of them starts it
    assert until(lambda: len(log.lines()) == 5)
    assert log.lines() == numbered(0, 5)


def test_what_haproxy_says_of_itself_is_not_in_the_log(log: Log) -> None:
    log.send("Proxy clients started.", *numbered(0, 1))
    assert until(lambda: bool(log.lines()))
    assert log.lines() == numbered(0, 1)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give a file to root:adm")
def test_the_log_is_for_root_and_its_readers(log: Log) -> None:
    log.send(*numbered(0, 1))
    assert until(log.file.exists)
    assert log.file.stat().st_mode & 0o777 == 0o640
    assert (log.file.owner(), log.file.group()) == ("root", "adm")


def test_a_line_of_the_longest_kind_is_whole(log: Log) -> None:
    line = '{"prompt":"' + "x" * 10_000 + '"}'
    log.send(line)
    assert until(lambda: log.lines() == [line])


def test_no_line_is_lost_while_files_are_closed(log: Log) -> None:
    for turn in range(4):
        log.send(*numbered(turn * 500, 500))
        if turn:
            log.rotate()
        time.sleep(1.1)  # names end in the second

    def kept() -> list[str]:
        return [line for path in closed(log) for line in text(path).splitlines()] + log.lines()

    assert until(lambda: len(kept()) == 2000)
    assert sorted(kept()) == sorted(numbered(0, 2000))
    assert len(closed(log)) == 3
    assert sum(path.suffix == ".gz" for path in closed(log)) == 2
    index = (log.folder / "audit.index").read_text().splitlines()
    assert index == sorted(path.name.removesuffix(".gz") for path in closed(log))


def closed(log: Log) -> list[Path]:
    return sorted(log.folder.glob("audit.log-*"))


def text(path: Path) -> str:
    return gzip.open(path, "rt").read() if path.suffix == ".gz" else path.read_text()


def test_only_files_older_than_the_retention_go(log: Log) -> None:
    log.send(*numbered(0, 1))
    assert until(lambda: bool(log.lines()))
    now = datetime.datetime.now()
    for days in (1, 30, 184, 187, 400):
        moment = now - datetime.timedelta(days=days)
        path = log.folder / f"audit.log-{moment:%Y%m%d%H%M%S}.gz"
        path.write_bytes(gzip.compress(b"{}\n"))
        os.utime(path, (moment.timestamp(), moment.timestamp()))
    log.rotate()
    ages = sorted(
        (now - datetime.datetime.fromtimestamp(path.stat().st_mtime)).days for path in closed(log)
    )
    assert [age for age in ages if age > 0] == [1, 30, 184]


def forwarding(authority: Authority, port: int, **fields: object) -> AuditLogSettings:
    values = {
        "host": "127.0.0.1",
        "port": port,
        "ca_file": str(authority.ca),
        "permitted_peers": ("siem",),
    }
    return AuditLogSettings(siem=SiemSettings(**{**values, **fields}))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize("library", ["gtls", "ossl"])
def test_lines_reach_the_siem_over_tls(
    make_log: Callable[..., Log], authority: Authority, library: str
) -> None:
    siem = Siem(free_port(), authority.issue("siem"))
    log = make_log(forwarding(authority, siem.port, tls_library=library))
    log.send(*numbered(0, 50))
    assert until(lambda: len(siem.received) == 50)
    assert siem.bodies() == numbered(0, 50)
    assert siem.received[0].startswith("<134>1 20")
    siem.stop()


def test_a_siem_may_ask_for_the_nodes_certificate(
    make_log: Callable[..., Log], authority: Authority
) -> None:
    siem = Siem(free_port(), authority.issue("siem"), authority.ca)
    own = str(authority.issue("node"))
    log = make_log(forwarding(authority, siem.port, certificate_file=own, key_file=own))
    log.send(*numbered(0, 5))
    assert until(lambda: siem.bodies() == numbered(0, 5))
    siem.stop()


def test_a_siem_with_another_name_gets_nothing(
    make_log: Callable[..., Log], authority: Authority
) -> None:
    siem = Siem(free_port(), authority.issue("stranger"))
    log = make_log(forwarding(authority, siem.port))
    log.send(*numbered(0, 5))
    assert until(lambda: siem.ended > 0, 15)
    assert until(lambda: len(log.lines()) == 5)
    assert siem.received == []
    siem.stop()


def test_an_outage_and_a_restart_lose_nothing(
    make_log: Callable[..., Log], authority: Authority
) -> None:
    port, certificate = free_port(), authority.issue("siem")
    log = make_log(forwarding(authority, port))
    log.send(*numbered(0, 12_000))  # more than memory takes: the rest is on disk
    assert until(lambda: len(log.lines()) == 12_000)
    assert until(lambda: bool(list((log.folder / "queue").glob("siem.0*"))))
    log.stop()
    log.start()
    log.send(*numbered(12_000, 10))
    siem = Siem(port, certificate)
    assert until(lambda: len(siem.received) >= 12_010, 40), len(siem.received)
    assert sorted(set(siem.bodies())) == sorted(numbered(0, 12_010))
    assert len(log.lines()) == 12_010
    siem.stop()
