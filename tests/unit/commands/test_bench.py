"""`flightline bench` as a person types it, with wrong input too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from flightline.commands.bench import command
from tests.unit.bench.server import engine

FAST = ("--requests", "4", "--prompt-tokens", "3", "--output-tokens", "3")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("fl-secret\n")
    return path


def test_a_run_is_told_in_json_and_drawn(tmp_path: Path, key: Path) -> None:
    with engine() as (url, seen):
        arguments = [f"{url}/v1", "--model", "good", "--key-file", str(key), *FAST]
        picture = tmp_path / "run.svg"
        done = CliRunner().invoke(command, [*arguments, "--format", "json", "--plot", str(picture)])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["schema"] == "flightline.bench/1"
    assert (told["requests"], told["failed"], told["output_tokens"]) == (4, 0, 12)
    assert told["time_to_first_token"]["count"] == 4
    assert picture.read_text().startswith("<?xml")
    assert "fl-secret" not in done.output + picture.read_text()
    assert len(seen) == 4


def test_a_run_is_told_in_a_table(key: Path) -> None:
    with engine() as (url, _):
        done = CliRunner().invoke(command, [url, "--model", "good", *FAST])
    assert "time to first token" in done.output
    assert "4 requests in" in done.output


def test_requests_that_fail_end_with_1_and_say_why() -> None:
    with engine() as (url, _):
        done = CliRunner().invoke(command, [url, "--model", "refused", *FAST])
    assert done.exit_code == 1
    assert "4 x HTTP 429: too many requests" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gpu-01:8443"], "is not a URL of a gateway"),
        (["ftp://gpu-01"], "is not a URL of a gateway"),
        (["https://"], "is not a URL of a gateway"),
        (["https://x", "--rate", "0"], "--rate is 0.0, expected a number above 0"),
        (["https://x", "--rate", "nan"], "--rate is nan"),
        (["https://x", "--duration", "-1"], "--duration is -1.0"),
        (["https://x", "--duration", "inf"], "--duration is inf"),
        (["https://x", "--key-file", "/nowhere"], "--key-file /nowhere: No such file"),
        (["https://x", "--ca", "/nowhere"], "--ca /nowhere: No such file"),
        (["https://x", "--clients", "0"], "--clients"),
        (["https://x", "--plot", "/"], "--plot / is a folder; name a file in it."),
        (["http://127.0.0.1:9", "--requests", "2"], "no request could be sent to http://127.0.0.1"),
    ],
)
def test_wrong_input_is_one_sentence(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(command, [*arguments, "--model", "m"])
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("content", ["", "two words", "fl-a\nfl-b\n", "schlüssel"])
def test_a_key_file_holds_one_key(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    done = CliRunner().invoke(command, ["https://x", "--model", "m", "--key-file", str(path)])
    assert done.exit_code == 2
    assert "expected one key" in done.output


def test_authorities_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nonsense")
    done = CliRunner().invoke(command, ["https://x", "--model", "m", "--ca", str(path)])
    assert done.exit_code == 2
    assert "holds no certificate" in done.output


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    done = CliRunner().invoke(command, ["https://ward:hunter2@gpu-01", "--model", "m"])
    assert done.exit_code == 2
    assert "user and a password" in done.output
    assert "hunter2" not in done.output


def test_figures_are_told_although_power_could_not_be_read(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with engine() as (url, _):
        options = ["--model", "good", *FAST, "--duration", "5", "--inventory", "nowhere.py"]
        done = CliRunner().invoke(command, [url, *options])
    assert done.exit_code == 2
    assert "4 requests in" in done.output
    assert "the power of nowhere.py could not be read" in done.output
    told = capfd.readouterr().err
    assert "Error: there is no inventory nowhere.py" in told
    assert "Traceback" not in told
