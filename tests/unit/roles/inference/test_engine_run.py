"""The supervisor of a container, tried with a docker that a test moves by hand."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flightline.serving import state
from tests.unit.roles.inference.declared import engine
from tests.unit.roles.inference.stand_ins import PROGRAMS, World, finish, until, world

REFUSED = 78


def test_it_verifies_then_starts_then_is_ready(serving: World, shell: str) -> None:
    process = serving.start(shell=shell)
    until(serving.is_ready)
    asked = serving.read("asked").splitlines()
    assert asked.index("verify /srv/models tiny 1") < next(
        number for number, line in enumerate(asked) if line.startswith("docker run")
    )
    arguments = serving.read("arguments").splitlines()
    assert "--mount=type=bind,source=/srv/models/tiny/1,target=/model,readonly" in arguments
    assert "--label=flightline.version=1" in arguments
    assert not [line for line in arguments if "@version@" in line]
    serving.end(0)
    finish(process)


def test_it_is_not_ready_before_the_engine_answers(node: World) -> None:
    process = node.start()
    until(lambda: "loading tiny 1" in node.read("notified"))
    assert not node.is_ready()
    node.set("healthy")
    until(node.is_ready)
    node.end(0)
    finish(process)


def test_a_version_that_is_not_as_its_manifest_says_is_not_started(serving: World) -> None:
    serving.set("broken")
    status, said = finish(serving.start())
    assert status == REFUSED
    assert "tiny 1 is not as its manifest says" in said
    assert "docker run" not in serving.read("asked")


def test_a_slot_without_a_version_is_refused(serving: World) -> None:
    serving.hold(state.ServiceState(model="tiny", active="b", b="1"))
    status, said = finish(serving.start())
    assert (status, "names no version" in said) == (REFUSED, True)


def test_the_version_under_way_is_not_taken_for_a_slot(serving: World) -> None:
    switching = state.Switching(to="9", mode="side-by-side", step="begin")
    serving.hold(state.fresh("tiny", "1").model_copy(update={"switching": switching}))
    process = serving.start()
    until(serving.is_ready)
    assert "--label=flightline.version=1" in serving.read("arguments")
    serving.end(0)
    finish(process)


def test_a_crash_ends_the_unit_with_the_containers_status(serving: World, shell: str) -> None:
    process = serving.start(shell=shell)
    until(serving.is_ready)
    serving.end(139)
    status, said = finish(process)
    assert status == 139
    assert "ended with exit status 139" in said
    assert "the engine's last line" in said


def test_a_crash_while_it_loads_is_told_at_once(node: World) -> None:
    node.set("crashes")
    status, said = finish(node.start())
    assert status == 3
    assert "the engine's last line" in said
    assert not node.is_ready()


@pytest.mark.parametrize("own", [0, 78])
def test_an_engine_that_ends_unasked_is_started_again_whatever_it_says(
    serving: World, own: int
) -> None:
    process = serving.start()
    until(serving.is_ready)
    serving.end(own)
    assert finish(process)[0] == 1


def test_a_restart_of_dockerd_is_not_noticed(serving: World, shell: str) -> None:
    process = serving.start(shell=shell)
    until(serving.is_ready)
    before = serving.read("asked").count("docker wait")
    serving.set("away")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    serving.clear("away")
    until(lambda: serving.read("asked").count("docker wait") > before)
    assert process.poll() is None
    assert serving.read("asked").count("docker run") == 1
    assert "docker stop" not in serving.read("asked")
    serving.end(0)
    finish(process)


def test_a_stopped_dockerd_is_not_asked_since_its_socket_would_start_it(serving: World) -> None:
    process = serving.start()
    until(serving.is_ready)
    serving.set("away")
    until(lambda: "docker wait" in serving.read("asked"))
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    before = serving.read("asked")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    assert serving.read("asked") == before
    serving.clear("away")
    serving.end(0)
    finish(process)


def test_an_engine_that_died_while_dockerd_was_away_is_noticed_after(serving: World) -> None:
    process = serving.start()
    until(serving.is_ready)
    serving.set("away")
    serving.end(137)
    serving.clear("away")
    assert finish(process)[0] == 137


def test_a_removed_container_ends_the_unit(serving: World) -> None:
    process = serving.start()
    until(serving.is_ready)
    serving.clear("container")
    status, said = finish(process)
    assert (status, "was removed" in said) == (1, True)


def test_a_running_container_is_taken_over_and_not_verified_again(serving: World) -> None:
    first = serving.start()
    until(serving.is_ready)
    serving.kill(first)
    serving.set("notified")
    second = serving.start()
    until(serving.is_ready)
    assert serving.read("asked").count("docker run") == 1
    assert serving.read("asked").count("verify") == 1
    serving.end(0)
    assert "taking it over" in finish(second)[1]


@pytest.mark.parametrize("label", ["true 0 other 1", "true 0 {declared} 0"])
def test_a_container_of_another_declaration_or_version_is_replaced(
    serving: World, label: str
) -> None:
    declared = (serving.root / "etc/flightline/engines/chat-a/docker").read_text()
    digest = declared.splitlines()[0].rpartition("=")[2]
    serving.set("container", label.format(declared=digest) + "\n")
    process = serving.start()
    until(serving.is_ready)
    asked = serving.read("asked")
    assert asked.index("docker stop") < asked.index("docker run")
    assert f"true 0 {digest} 1" in serving.read("container")
    serving.end(0)
    finish(process)


def test_an_engine_that_never_answers_is_stopped_when_its_time_is_up(tmp_path: Path) -> None:
    node = world(tmp_path / "node", engine(start_timeout_seconds=10))
    path = node.root / "etc/flightline/engines/chat-a/slot.env"
    path.write_text(path.read_text().replace("start_seconds=10", "start_seconds=1"))
    status, said = finish(node.start())
    assert status == 1
    assert "http://127.0.0.1:18000/health did not answer 200 within 1 s" in said


def test_a_slot_without_a_declaration_is_refused(node: World) -> None:
    (node.root / "etc/flightline/engines/chat-a/docker").unlink()
    status, said = finish(node.start())
    assert (status, "has no declaration" in said) == (REFUSED, True)


def slot_program(node: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["dash", str(PROGRAMS / "engine-slot"), *arguments],
        env={"FLIGHTLINE_ROOT": str(node.root), "PATH": "/usr/bin:/bin"},
        text=True,
        capture_output=True,
        check=False,
    )


def test_a_slot_is_ready_to_start_once_its_state_has_the_version(node: World) -> None:
    assert slot_program(node, "chat", "a", "1").returncode == 0
    refused = slot_program(node, "chat", "a", "2")
    assert (refused.returncode, "version 2; write that first" in refused.stderr) == (1, True)
    assert "has no declaration" in slot_program(node, "chat", "b", "1").stderr
