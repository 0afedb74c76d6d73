"""What is done on a node for its CUDA toolkits, and that without one nothing is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pyinfra.context import ctx_host

from flightline.facts.node import NodeFacts
from flightline.operations.bundle.state import BundleState, Found, PathState
from flightline.operations.packages import Installed, Packages
from roles.cuda import operations
from roles.cuda.operations import CudaState, toolkits_installed
from roles.cuda.settings import CudaSettings
from roles.cuda.toolkits import Toolkits, parse_toolkits
from tests.machines.cuda import SOUND
from tests.unit.roles.containers.conftest import DEBIAN_12

SETTINGS = CudaSettings(versions=("12.8.1", "13.0"), default="12.8.1")
VERSIONS = {"cuda-toolkit-12-8": "12.8.1-1", "cuda-toolkit-13-0": "13.0.0-1"}
AS_DECLARED = Installed("apt", VERSIONS, frozenset(VERSIONS))
TOOLKITS = parse_toolkits(SOUND)
ROCKY = replace(DEBIAN_12, distribution="rocky", version="9.6", family="rhel")


class Host:
    """Stands for pyinfra's host; no file of ours is there."""

    print_prefix = ""
    name = "node"

    def __init__(self, state: Toolkits | None, packages: Installed) -> None:
        self.known = {CudaState: state, Packages: packages}
        self.asked: list[Any] = []

    def get_fact(self, fact: Any, **arguments: Any) -> Any:
        self.asked.append(fact)
        if fact is BundleState:
            return Found(tuple(PathState("absent") for _ in arguments["paths"]), frozenset())
        return self.known[fact]

    def noop(self, text: str) -> None:
        """Nothing is to be done."""


def done(
    monkeypatch: pytest.MonkeyPatch,
    settings: CudaSettings,
    state: Toolkits | None = TOOLKITS,
    packages: Installed = AS_DECLARED,
    node: NodeFacts = DEBIAN_12,
) -> tuple[list[str], list[Any]]:
    """The commands that are sent, and the facts that are asked for."""
    monkeypatch.setattr(operations, "node_of", lambda _: node)
    host = Host(state, packages)
    with ctx_host.use(host):
        sent = [str(command.get_raw_value()) for command in toolkits_installed._inner(settings)]
    return sent, host.asked


def test_without_a_declared_toolkit_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert done(monkeypatch, CudaSettings()) == ([], [])


def test_a_node_as_declared_costs_three_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    sent, asked = done(monkeypatch, SETTINGS)
    assert sent == []
    assert asked == [CudaState, Packages, BundleState]


@pytest.mark.parametrize(
    ("default", "mode"), [("/usr/local/cuda-13.0", "manual"), ("/usr/local/cuda-12.8", "auto")]
)
def test_the_default_is_set_by_hand_and_the_linker_told(
    monkeypatch: pytest.MonkeyPatch, default: str, mode: str
) -> None:
    sent, _ = done(monkeypatch, SETTINGS, replace(TOOLKITS, default=default, mode=mode))
    assert sent == ["update-alternatives --set cuda /usr/local/cuda-12.8 >/dev/null && ldconfig"]


def test_a_pinned_update_is_installed_exactly_and_held(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = Installed("apt", {}, frozenset())
    sent, _ = done(monkeypatch, SETTINGS, replace(TOOLKITS, default="", mode=""), bare)
    assert "cuda-toolkit-12-8=12.8.1-1 cuda-toolkit-13-0" in sent[0]
    assert sent[1] == "apt-mark hold cuda-toolkit-12-8 cuda-toolkit-13-0"
    assert sent[2].startswith("update-alternatives --set cuda /usr/local/cuda-12.8 ")


@pytest.mark.parametrize(
    ("field", "path"),
    [("profile", operations.PROFILE), ("linker", operations.LINKER)],
)
def test_paths_are_written_only_where_asked(
    monkeypatch: pytest.MonkeyPatch, field: str, path: str
) -> None:
    asked = SETTINGS.model_copy(update={field: True})
    assert len(done(monkeypatch, asked)[0]) == 1
    kinds = {item.path: type(item).__name__ for item in operations.path_items(asked)}
    assert [place for place, kind in kinds.items() if kind == "File"] == [path]


def test_without_nvidias_repository_the_role_says_who_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent, _ = done(monkeypatch, SETTINGS, replace(TOOLKITS, has_repository=False))
    assert len(sent) == 1
    assert "which the role nvidia sees to" in sent[0]


def test_a_distribution_without_a_toolkit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = CudaSettings(versions=("12.4",), source="distribution")
    sent, _ = done(monkeypatch, settings, node=ROCKY)
    assert "rocky 9.6 has no CUDA toolkit of its own" in sent[0]


def test_the_distributions_toolkit_has_no_alternative(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = CudaSettings(versions=("11.8",), source="distribution")
    there = Installed("apt", {"nvidia-cuda-toolkit": "11.8.89"}, frozenset({"nvidia-cuda-toolkit"}))
    bare = replace(TOOLKITS, has_repository=False, default="", mode="")
    assert done(monkeypatch, settings, bare, there)[0] == []


def test_a_node_that_does_not_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sent, _ = done(monkeypatch, SETTINGS, None)
    assert "could not be listed" in sent[0]
