"""What is done on a node, and that without a model nothing is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pyinfra.api.exceptions import FactProcessError
from pyinfra.context import ctx_host

from flightline.facts.node import NodeFacts
from flightline.operations.bundle.state import BundleState
from flightline.operations.packages import Installed, Packages
from flightline.operations.refusal import Refusal
from flightline.serving.store import Store, parse_store
from roles.models import operations, sources
from roles.models.operations import ModelStore, model_files, model_packages, model_versions
from roles.models.settings import ModelSettings, ModelsSettings, ModelVersion
from tests.machines import machine
from tests.machines.model_store import settings
from tests.unit.roles.containers.conftest import DEBIAN_12

DECLARED = settings("h100_sxm_8")
TEXT = machine("h100_sxm_8").answers[machine("h100_sxm_8").labels["models-store"]].stdout.decode()
ROCKY = replace(DEBIAN_12, distribution="rocky", version="9.6", family="rhel")
DEBIAN_13 = replace(DEBIAN_12, version="13")


class Host:
    """Stands for pyinfra's host; nothing is installed, no file of ours is there."""

    print_prefix = ""

    def __init__(self, store: Store | None) -> None:
        self.known = {ModelStore: store, Packages: Installed("apt", {}, frozenset())}
        self.asked: list[Any] = []

    def get_fact(self, fact: Any, **_: Any) -> Any:
        self.asked.append(fact)
        return self.known.get(fact)

    def noop(self, text: str) -> None:
        """Nothing is to be done."""


def done(
    operation: Callable[..., Any], declared: ModelsSettings, store: Store | None = None
) -> tuple[list[Any], list[Any]]:
    """The commands that are sent, and the facts that are asked for."""
    host = Host(store)
    with ctx_host.use(host):
        sent: Iterator[Any] = operation._inner(declared)  # type: ignore[attr-defined]  # pyinfra's
        return list(sent), host.asked


def of(source: str) -> ModelsSettings:
    version = ModelVersion(version="1", source=source, manifest_sha256="0" * 64)
    return ModelsSettings(
        models=(ModelSettings(name="chat", versions=(version,)),), rclone_config="/etc/rclone.conf"
    )


@pytest.mark.parametrize("operation", [model_packages, model_files, model_versions])
def test_without_a_model_nothing_is_asked_and_nothing_done(
    operation: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "node_of", lambda _: DEBIAN_12)
    assert done(operation, ModelsSettings()) == ([], [])


def test_a_store_as_declared_costs_one_question() -> None:
    sent, asked = done(model_versions, DECLARED, parse_store(TEXT))
    assert (sent, asked) == ([], [ModelStore])


def test_a_missing_version_is_fetched_by_the_nodes_unit() -> None:
    store = parse_store(TEXT.replace("current chat 1", "current chat none"))
    (command,), _ = done(model_versions, DECLARED, store)
    assert str(command.get_raw_value()) == "/usr/local/lib/flightline/model-fetch follow"


def test_a_node_that_does_not_answer_is_refused() -> None:
    (refusal,), _ = done(model_versions, DECLARED, None)
    assert isinstance(refusal, Refusal)
    with pytest.raises(FactProcessError, match="cut short"):
        ModelStore().process(["room 1 1"])


def test_the_files_are_asked_for_in_one_question() -> None:
    _, asked = done(model_files, DECLARED)
    assert asked == [BundleState]


@pytest.mark.parametrize(
    ("source", "node", "expected"),
    [
        ("https://m.example.org/chat/1", DEBIAN_12, ("openssl", "ca-certificates", "curl")),
        ("https://m.example.org/chat/1", ROCKY, ("openssl", "ca-certificates")),
        ("rclone:site:chat/1", DEBIAN_12, ("openssl", "ca-certificates", "rclone")),
        ("file:///mnt/chat/1", DEBIAN_12, ("openssl",)),
        (
            f"oci://r.example.org/chat@sha256:{'0' * 64}",
            DEBIAN_13,
            ("openssl", "ca-certificates", "oras"),
        ),
    ],
)
def test_a_source_brings_its_program(
    source: str, node: NodeFacts, expected: tuple[str, ...]
) -> None:
    assert sources.packages(of(source), node) == expected


def test_a_system_without_oras_is_refused_unless_the_site_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operations, "node_of", lambda _: DEBIAN_12)
    declared = of(f"oci://r.example.org/chat@sha256:{'0' * 64}")
    (refusal,), _ = done(model_packages, declared)
    assert isinstance(refusal, Refusal)
    assert "debian 12 has no package of oras" in refusal.sentence
    assert "oras_program" in refusal.sentence
    own = declared.model_copy(update={"oras_program": "/opt/oras"})
    assert sources.packages(own, DEBIAN_12) == ("openssl",)
