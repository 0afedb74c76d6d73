"""How an engine is stopped: what is under way ends first; what nobody stopped runs on."""

from __future__ import annotations

import subprocess

import pytest

from tests.unit.roles.inference.stand_ins import World, finish, until


def stop_while(node: World) -> tuple[int, str]:
    """As systemd does: its processes end, then what comes after them runs."""
    process = node.start()
    until(node.is_ready)
    node.terminate(process)
    return finish(node.start("stop"))


def test_a_stop_ends_the_container_and_is_no_failure(serving: World) -> None:
    serving.set("metrics", "llamacpp:requests_processing 0\n")
    assert stop_while(serving)[0] == 0
    assert "docker stop -t 13 flightline-chat-a" in serving.read("asked")


def test_a_stop_waits_for_what_is_under_way(serving: World) -> None:
    busy = "# HELP llamacpp:requests_processing x\nllamacpp:requests_processing 2\n"
    serving.set("metrics", busy)
    process = serving.start()
    until(serving.is_ready)
    serving.terminate(process)
    path = serving.root / "etc/flightline/engines/chat-a/slot.env"
    path.write_text(path.read_text().replace("drain_seconds=3", "drain_seconds=600"))
    stopping = serving.start("stop")
    with pytest.raises(subprocess.TimeoutExpired):
        stopping.wait(timeout=0.7)
    assert "docker stop" not in serving.read("asked")
    serving.set("metrics", busy.replace(" 2\n", " 0\n"))
    assert finish(stopping)[0] == 0
    assert serving.read("container").startswith("false ")


def test_an_engine_that_is_still_loading_is_stopped_too(node: World) -> None:
    process = node.start()
    until(lambda: "loading tiny 1" in node.read("notified"))
    until(lambda: node.read("container").startswith("true "))
    node.terminate(process)
    assert finish(node.start("stop"))[0] == 0
    assert node.read("container").startswith("false ")


def test_a_stop_after_the_container_ended_does_nothing(serving: World) -> None:
    process = serving.start()
    until(serving.is_ready)
    serving.end(1)
    finish(process)
    assert finish(serving.start("stop", SERVICE_RESULT="exit-code"))[0] == 0
    assert "docker stop" not in serving.read("asked")


def test_a_stop_waits_no_longer_than_declared(serving: World) -> None:
    serving.set("metrics", "llamacpp:requests_deferred 1\n")
    assert stop_while(serving)[0] == 0
    # what is under way has its whole time once no more is taken
    assert "docker stop -t 13 flightline-chat-a" in serving.read("asked")


def test_a_killed_supervisor_leaves_the_engine_running(serving: World) -> None:
    process = serving.start()
    until(serving.is_ready)
    status, said = finish(serving.start("stop", SERVICE_RESULT="signal"))
    assert (status, "left running" in said) == (0, True)
    assert "docker stop" not in serving.read("asked")
    serving.end(0)
    finish(process)


def test_without_dockerd_a_stop_says_that_the_engine_runs_on(serving: World) -> None:
    serving.set("away")
    status, said = finish(serving.start("stop"))
    assert (status, "runs on" in said) == (1, True)
