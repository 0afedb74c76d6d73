"""The energy of a run is of the run alone, not of the waits before and after it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from flightline.bench import drawn
from flightline.bench.load import Plan, run
from flightline.commands.bench import command
from tests.unit.bench.server import engine

READER = """
import json, select, sys, time
samples = []
def read(watts, rounds):
    for _ in range(rounds):
        samples.append([time.monotonic(), watts])
        if select.select([sys.stdin], [], [], 0.005)[0]:
            return
read(10.0, 40)
print("ready", flush=True)
read(500.0, 10_000)
sys.stdin.read()
time.sleep(0.1)
samples += [[time.monotonic(), 10.0]] * 100
print(json.dumps({"samples": {"gpu-01": samples}}))
"""


def reader(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "reader.py"
    path.write_text(text)
    monkeypatch.setattr(drawn, "READER", (sys.executable, str(path)))


def bench(url: str, *more: str) -> tuple[int, str, str]:
    fast = ["--prompt-tokens", "3", "--output-tokens", "3", "--inventory", "nodes.py"]
    done = CliRunner().invoke(command, [url, "--model", "good", *fast, *more])
    return done.exit_code, done.stdout, done.stderr


def test_samples_of_the_run_alone_are_averaged() -> None:
    idle, busy = [(0.5, 80.0), (9.5, 80.0)], [(2.0, 500.0), (3.0, 700.0)]
    assert drawn.joules({"a": [*idle, *busy]}, 1.0, 5.0) == 600.0 * 4
    assert drawn.joules({"a": busy, "b": [(2.0, 100.0), (4.0, 100.0)]}, 1.0, 5.0) == 700.0 * 4


def test_fewer_than_two_samples_of_a_node_tell_nothing() -> None:
    busy = [(2.0, 500.0), (3.0, 700.0)]
    assert drawn.joules({"a": busy[:1]}, 1.0, 5.0) is None
    assert drawn.joules({"a": busy, "b": []}, 1.0, 5.0) is None
    assert drawn.joules({}, 1.0, 5.0) is None


def test_a_run_s_window_is_of_the_clock_that_samples_have() -> None:
    before = time.monotonic()
    with engine() as (url, _):
        sent = asyncio.run(run(Plan(url, "good", 5.0, requests_max=2, prompt_tokens=3), None))
    began, ended = sent.window
    assert before <= began < ended <= time.monotonic()
    assert ended - began == pytest.approx(
        max(each.ended for each in sent.answers) - min(each.began for each in sent.answers)
    )


def test_idle_before_and_after_a_run_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader(tmp_path, READER, monkeypatch)
    with engine() as (url, _):
        rate = ("--rate", "20", "--duration", "1")
        code, said, _ = bench(url, *rate, "--format", "json")
    assert code == 0
    told = json.loads(said)
    assert told["joules"] == pytest.approx(500.0 * told["seconds"], rel=0.001)


def test_a_run_too_short_for_two_samples_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader(tmp_path, READER.replace("10_000", "1"), monkeypatch)
    with engine() as (url, _):
        code, said, complained = bench(url, "--requests", "3", "--format", "json")
    assert code == 0
    assert json.loads(said)["joules"] is None
    assert "no J/token: some node of nodes.py told its power less than twice" in complained


def test_a_reader_that_is_never_ready_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader(tmp_path, "import time; time.sleep(60)", monkeypatch)
    monkeypatch.setattr(drawn, "READY_SECONDS", 0.3)
    with engine() as (url, _):
        began = time.monotonic()
        code, said, complained = bench(url, "--requests", "3")
    assert time.monotonic() - began < 20
    assert code == 2
    assert "3 requests in" in said
    assert "could not be read; no answer of all nodes within 0.3 s." in complained


def test_a_reader_that_does_not_end_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import time; print('ready', flush=True); time.sleep(60)"
    reader(tmp_path, text, monkeypatch)
    monkeypatch.setattr(drawn, "END_SECONDS", 0.3)
    with engine() as (url, _):
        code, _, complained = bench(url, "--requests", "3")
    assert code == 2
    assert "could not be read; its reader did not end within 0.3 s." in complained
