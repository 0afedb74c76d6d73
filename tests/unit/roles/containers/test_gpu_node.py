"""What is sent to a node with GPUs, in which order; to one without, nothing more than before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pyinfra.context import ctx_host

from flightline.facts.node import NodeFacts
from flightline.operations.bundle import bundle
from flightline.operations.bundle.state import BundleState, Found, PathState
from flightline.operations.packages import Installed, Packages
from roles.containers import operations, toolkit
from roles.containers.daemon import merge
from roles.containers.facts import Engine, EngineState
from roles.containers.gpus import TOOLKIT, parse_gpus
from roles.containers.operations import engine_configured
from roles.containers.settings import ContainersSettings
from tests.unit.roles.containers.conftest import DEBIAN_12, MakeState
from tests.unit.roles.containers.test_gpus import SOUND
from tests.unit.roles.containers.test_toolkit import LIVE

DECLARED = ContainersSettings()
GPUS = parse_gpus(SOUND)
THERE = Installed("apt", dict.fromkeys(TOOLKIT, "1.18.1-1"), frozenset(TOOLKIT))
ROCKY = replace(DEBIAN_12, distribution="rocky", version="9.6", family="rhel")


class Host:
    """Stands for pyinfra's host. What Flightline writes is not there yet."""

    print_prefix = ""
    name = "node"

    def __init__(self, state: EngineState, packages: Installed) -> None:
        self.known = {Engine: state, Packages: packages}
        self.asked: list[Any] = []

    def get_fact(self, fact: Any, **arguments: Any) -> Any:
        self.asked.append(fact)
        if fact is BundleState:
            return Found(tuple(PathState("absent") for _ in arguments["paths"]), frozenset())
        return self.known[fact]

    def noop(self, text: str) -> None:
        """Nothing is to be done."""


def converged(
    monkeypatch: pytest.MonkeyPatch,
    state: EngineState,
    packages: Installed = THERE,
    settings: ContainersSettings = DECLARED,
    node: NodeFacts = DEBIAN_12,
) -> tuple[list[str], list[Any]]:
    """The commands that are sent, and the facts that are asked for."""
    monkeypatch.setattr(operations, "node_of", lambda _: node)
    host = Host(state, packages)
    with ctx_host.use(host):
        sent = [str(command.get_raw_value()) for command in engine_configured._inner(settings)]
    return sent, host.asked


def test_without_a_gpu_two_questions_are_asked_as_before(
    monkeypatch: pytest.MonkeyPatch, make_state: MakeState
) -> None:
    sent, asked = converged(monkeypatch, make_state(DECLARED))
    assert asked == [Engine, BundleState]
    assert not [command for command in sent if "nvidia" in command]


def test_the_toolkit_is_there_before_dockerd_hears_of_it(
    monkeypatch: pytest.MonkeyPatch, make_state: MakeState
) -> None:
    gpus = replace(GPUS, keys=(), versions=())
    state = make_state(DECLARED, gpus=gpus, active=False, info={})
    sent, asked = converged(monkeypatch, state, Installed("apt", {}, frozenset()))
    assert asked == [Engine, BundleState, Packages, BundleState]
    assert "gpgkey" in sent[0]
    order = [
        n
        for n, command in enumerate(sent)
        for mark in ("apt install", "apt-mark hold nvidia-container-toolkit")
        if mark in command
    ]
    assert order == [2, 3]
    assert all("apply.sh" in sent[files] for files in (1, 4))


def test_a_key_that_is_there_is_not_fetched_again(
    monkeypatch: pytest.MonkeyPatch, make_state: MakeState
) -> None:
    sent, _ = converged(monkeypatch, make_state(DECLARED, gpus=GPUS))
    assert not [command for command in sent if "gpgkey" in command]


def test_off_leaves_a_gpu_node_alone(
    monkeypatch: pytest.MonkeyPatch, make_state: MakeState
) -> None:
    off = ContainersSettings(nvidia_toolkit="off")
    _, asked = converged(monkeypatch, make_state(off, gpus=GPUS), settings=off)
    assert asked == [Engine, BundleState]


def test_what_cannot_work_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, make_state: MakeState
) -> None:
    old = ContainersSettings(nvidia_toolkit_version="1.17.8")
    sent, _ = converged(monkeypatch, make_state(old, gpus=GPUS), settings=old)
    assert len(sent) == 1
    assert "Nothing was changed." in sent[0]


@pytest.mark.parametrize("node", [DEBIAN_12, ROCKY], ids=["apt", "dnf"])
def test_a_stale_specification_alone_is_made_anew(
    monkeypatch: pytest.MonkeyPatch, make_state: MakeState, node: NodeFacts
) -> None:
    """The driver changed since: no file of ours differs, so no hook would run."""
    settings = ContainersSettings(source="docker")
    gpus = replace(GPUS, driver="590.1.2", keys=(toolkit.DEB_KEY, toolkit.RPM_KEY))
    file = merge(settings, None, has_gpu=True)
    state = make_state(settings, gpus=gpus, file=file, info=LIVE, installed=("docker-ce",))
    monkeypatch.setattr(bundle, "_inner", lambda **_: iter(()))
    packages = Installed("apt" if node is DEBIAN_12 else "dnf", THERE.versions, THERE.held)
    sent, _ = converged(monkeypatch, state, packages, settings, node)
    assert sent == [toolkit.REFRESH]
