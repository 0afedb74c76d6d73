"""How many questions a converge asks, in which order it works, and what it says when it refuses."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.command import StringCommand
from pyinfra.context import ctx_host, ctx_inventory

from flightline.operations.bundle.state import BundleState
from flightline.operations.refusal import Refusal
from flightline.serving import state
from roles.inference import files, operations, scripts
from roles.inference.facts import Node, Running, Serving, forget_serving
from roles.inference.settings import InferenceSettings
from roles.inference.wanted import wanted
from tests.unit.roles.inference.declared import IMAGE, engine
from tests.unit.roles.inference.test_wanted import ALLOWED, CHAT, changed, node

STEPS = (
    operations.engines_prepared,
    operations.engines_declared,
    operations.engines_running,
)


class Host:
    """Stands for pyinfra's host."""

    name = "gpu-1"
    print_prefix = ""

    def __init__(self, serving: Serving | None) -> None:
        self.answers: dict[type[object], object] = {Node: serving, BundleState: None}
        self.asked: list[object] = []

    def get_fact(self, fact: type[object], **_arguments: object) -> object:
        self.asked.append(fact)
        return self.answers[fact]

    def noop(self, _text: str) -> None:
        pass


@pytest.fixture(autouse=True)
def _inventory() -> Iterator[None]:
    with ctx_inventory.use({}):
        yield


def ran(host: Host, settings: InferenceSettings = CHAT) -> list[list[Any]]:
    with ctx_host.use(host):
        return [list(step._inner(settings=settings, first_served={"tiny": "1"})) for step in STEPS]


def test_without_engines_one_question_and_nothing_done() -> None:
    host = Host(Serving(has_curl=False, docker="", states={}))
    assert ran(host, InferenceSettings()) == [[], [], []]
    assert host.asked == [Node]


def test_engines_that_are_declared_no_more_are_not_left_running_unnoticed() -> None:
    (command,) = ran(Host(node()), InferenceSettings())[0]
    assert isinstance(command, Refusal)
    assert "chat runs and is declared no more (InferenceSettings.engines)" in str(command)
    allowed = InferenceSettings(restart_allowed=True)
    prepared, declared, (removal,) = ran(Host(node()), allowed)
    assert (prepared, declared) == ([], [])
    assert str(removal) == str(StringCommand(scripts.remove("chat")))


def test_a_node_as_declared_costs_two_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_differs(items: object, hooks: object) -> Iterator[Any]:
        del items, hooks
        host.get_fact(BundleState)
        return iter(())

    host = Host(node())
    monkeypatch.setattr("roles.inference.operations.bundle._inner", nothing_differs)
    assert ran(host) == [[], [], []]
    assert host.asked == [Node, BundleState]


def test_a_node_that_does_not_answer_is_refused() -> None:
    with ctx_host.use(Host(None)):
        (command,) = STEPS[0]._inner(settings=CHAT, first_served={"tiny": "1"})
    assert isinstance(command, Refusal)
    assert "did not say which engines run" in command.sentence


def test_what_would_disturb_an_engine_is_refused_before_anything_is_pulled() -> None:
    disturbed = changed(
        node(), containers={"chat-a": Running(True, "other", "1")}, images=frozenset()
    )
    with ctx_host.use(Host(disturbed)):
        (command,) = STEPS[0]._inner(settings=CHAT, first_served={"tiny": "1"})
    assert isinstance(command, Refusal)
    assert command.sentence.endswith("Nothing was changed.")


def test_only_the_images_that_are_not_there_are_pulled() -> None:
    other = IMAGE.replace("a@", "b@").replace("engine@", "other@")
    settings = CHAT.model_copy(
        update={"engines": (engine(), engine(name="two", port=18_100, image=other))}
    )
    found = changed(node(), images=frozenset({IMAGE}))
    with ctx_host.use(Host(found)):
        (command,) = STEPS[0]._inner(settings=settings, first_served={"tiny": "1"})
    assert f"docker pull {other}" in str(command)
    assert IMAGE not in str(command)


def test_credentials_come_from_a_folder_and_are_in_no_argument() -> None:
    settings = InferenceSettings(engines=(engine(),), registry_config="/etc/site/docker")
    command = scripts.pull(settings, (IMAGE,))
    assert command.startswith("timeout -k 10 3600 docker --config /etc/site/docker pull ")


def test_after_a_change_the_node_is_asked_again() -> None:
    host = Host(changed(node(), images=frozenset()))
    with ctx_host.use(host):
        list(STEPS[0]._inner(settings=CHAT, first_served={"tiny": "1"}))
        list(STEPS[2]._inner(settings=CHAT, first_served={"tiny": "1"}))
        forget_serving(host)
    assert host.asked == [Node, Node]


def commands(serving: Serving, settings: InferenceSettings) -> list[str]:
    with ctx_host.use(Host(serving)):
        found = list(STEPS[2]._inner(settings=settings, first_served={"tiny": "1"}))
    return [str(each) for each in found]


def test_what_goes_goes_before_what_comes() -> None:
    found = node()
    held = {**found.states, "old": state.fresh("tiny", "1")}
    units = {"chat-a": "failed", "chat-b": "active", "old-a": "active"}
    found = changed(found, states=held, units=units, containers={})
    first, second, third = commands(found, ALLOWED)
    assert "off old-a || exit\noff old-b || exit\nrm -rf -- " in first
    assert second.endswith("off chat-b || exit")
    assert "systemctl --no-block start flightline-engine@chat-a.service" in third


def test_a_restart_drains_before_it_starts() -> None:
    found = changed(node(), containers={"chat-a": Running(True, "other", "1")})
    (command,) = commands(found, ALLOWED)
    assert command.index("systemctl stop") < command.index("systemctl --no-block start")


def test_a_removal_leaves_the_model_alone() -> None:
    text = scripts.remove("old")
    assert "/var/lib/flightline/serving/old.json" in text
    assert "/srv" not in text


# --- the waiting itself, with a systemctl that a test moves
@pytest.mark.parametrize(
    ("shows", "status", "told"),
    [
        ({"ActiveState": "active", "NRestarts": "0"}, 0, "chat-a: ready after"),
        ({"ActiveState": "failed", "NRestarts": "0"}, 1, "the engine did not start"),
        ({"ActiveState": "inactive", "Job": "17"}, 1, "was not ready after 1 s"),
        ({"ActiveState": "activating", "NRestarts": "0"}, 1, "was not ready after 1 s"),
    ],
)
def test_a_start_waits_for_readiness_and_says_what_went_wrong(
    shows: dict[str, str], status: int, told: str, tmp_path: Path
) -> None:
    shows = {"NRestarts": "0", **shows}
    cases = " ".join(f'*"-p {key} "*) echo {value} ;;' for key, value in shows.items())
    (tmp_path / "systemctl").write_text(f'#!/bin/sh\ncase "$* " in {cases} esac\n')
    (tmp_path / "journalctl").write_text("#!/bin/sh\necho its last line\n")
    for each in tmp_path.iterdir():
        each.chmod(0o755)
    slot = wanted(CHAT, Serving(True, "28", {}), {"tiny": "1"}, "n", lambda _: None).slots[0]
    script = scripts.start((slot,)).replace("await_ready chat-a 2400", "await_ready chat-a 1")
    done = subprocess.run(
        ["dash", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == status
    assert told in done.stdout + done.stderr
    assert status == 0 or "its last line" in done.stderr


def test_a_crash_while_loading_ends_the_wait(tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text(
        '#!/bin/sh\ncase "$*" in *NRestarts*) cat $COUNT; echo 1 >$COUNT ;; *ActiveState*) '
        "echo activating ;; esac\n"
    )
    (tmp_path / "journalctl").write_text("#!/bin/sh\n")
    (tmp_path / "count").write_text("0\n")
    for name in ("systemctl", "journalctl"):
        (tmp_path / name).chmod(0o755)
    slot = wanted(CHAT, Serving(True, "28", {}), {"tiny": "1"}, "n", lambda _: None).slots[0]
    done = subprocess.run(
        ["dash", "-c", scripts.start((slot,))],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "COUNT": str(tmp_path / "count")},
        text=True,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, "ended while it loaded" in done.stderr) == (1, True)


def test_the_units_file_reloads_systemd_and_starts_nothing() -> None:
    assert [hook.command for hook in files.HOOKS] == ["systemctl daemon-reload"]
