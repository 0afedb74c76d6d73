"""The reader of the audit log, as a request reaches it from HAProxy."""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path

import pytest

from tests.gateway_log.programs import Log


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three closed files of ten lines, the oldest packed, and an open one with five."""
    Log(tmp_path)
    for number, name in enumerate(("20261119000000.gz", "20261120000000", "20261121000000")):
        text = "".join(f'{{"n":{number * 10 + line}}}\n' for line in range(10)).encode()
        path = tmp_path / f"audit.log-{name}"
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    (tmp_path / "audit.log").write_text("".join(f'{{"n":{30 + line}}}\n' for line in range(5)))
    return tmp_path


def ask(folder: Path, target: str, method: str = "GET") -> tuple[str, dict[str, str], str]:
    request = f"{method} {target} HTTP/1.1\r\nHost: gateway\r\nx-a: b\r\n\r\n"
    done = subprocess.run(
        ["sh", str(folder / "audit-read")], input=request.encode(), capture_output=True, check=True,
        env={**os.environ, "FLIGHTLINE_AUDIT_LOG": str(folder / "audit.log")}, timeout=30,
    )  # fmt: skip
    assert not done.stderr
    head, _, body = done.stdout.decode().partition("\r\n\r\n")
    status, *headers = head.split("\r\n")
    pairs = [header.split(": ", 1) for header in headers]
    return status, {name.lower(): value for name, value in pairs}, body


def numbers(body: str) -> list[int]:
    import json

    return [json.loads(line)["n"] for line in body.splitlines()]


def test_the_newest_lines_come_oldest_first(folder: Path) -> None:
    status, headers, body = ask(folder, "/admin/audit?lines=3")
    assert status == "HTTP/1.1 200 OK"
    assert headers["content-type"] == "application/x-ndjson"
    assert numbers(body) == [32, 33, 34]


@pytest.mark.parametrize("lines", [5, 6, 15, 20, 34, 35, 36, 10_000])
def test_older_files_are_read_as_far_as_needed(folder: Path, lines: int) -> None:
    body = ask(folder, f"/admin/audit?lines={lines}")[2]
    assert numbers(body) == list(range(max(0, 35 - lines), 35))


def test_without_a_number_there_are_a_hundred(folder: Path) -> None:
    (folder / "audit.log").write_text('{"n":1}\n' * 300)
    assert len(numbers(ask(folder, "/admin/audit")[2])) == 100


@pytest.mark.parametrize(
    "lines", ["0", "-1", "10001", "999999999999999999999", "x", "", "1;id", "$(id)", "01", "1%20"]
)
def test_a_number_out_of_range_is_refused(folder: Path, lines: str) -> None:
    status, headers, body = ask(folder, f"/admin/audit?lines={lines}")
    assert status == "HTTP/1.1 400 Bad Request"
    assert headers["content-type"] == "application/json"
    assert "invalid_lines" in body


@pytest.mark.parametrize("target", ["/", "/admin/audit/../../etc/shadow", "/admin/audit?file=/etc"])
def test_another_path_is_refused(folder: Path, target: str) -> None:
    assert ask(folder, target)[0] == "HTTP/1.1 400 Bad Request"


def test_another_method_is_refused(folder: Path) -> None:
    assert ask(folder, "/admin/audit", method="DELETE")[0] == "HTTP/1.1 405 Method Not Allowed"


def test_a_log_that_is_not_there_yet_is_said(folder: Path) -> None:
    (folder / "audit.log").unlink()
    assert ask(folder, "/admin/audit")[0] == "HTTP/1.1 503 Service Unavailable"
