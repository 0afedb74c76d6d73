"""Units: which commands follow from how they are and how they are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyinfra.context import ctx_host
from pyinfra_testing.facts import make_fact_tests

from flightline.operations.refusal import Refusal
from flightline.operations.services import Service, UnitState, services

CASES = Path(__file__).with_name("cases") / "services.Units"
TestUnits = make_fact_tests("flightline.operations", "services.Units", CASES)

ENABLED = UnitState("loaded", "active", "enabled")
DISABLED = UnitState("loaded", "inactive", "disabled")
STATIC = UnitState("loaded", "active", "static")
MASKED = UnitState("masked", "inactive", "masked")
MISSING = UnitState("not-found", "inactive", "")


class Node:
    """Stands for pyinfra's host; knows how its units are."""

    print_prefix = ""

    def __init__(self, states: tuple[UnitState, ...] | None) -> None:
        self.states = states

    def get_fact(self, _fact: object, **_arguments: Any) -> tuple[UnitState, ...] | None:
        return self.states

    def noop(self, text: str) -> None:
        """Nothing is to be done."""


def verbs(*pairs: tuple[Service, UnitState]) -> list[str]:
    """The systemctl commands, without what is done when one fails."""
    with ctx_host.use(Node(tuple(state for _, state in pairs))):
        sent = list(services._inner([service for service, _ in pairs]))
    return [command.get_raw_value().partition(" ||")[0] for command in sent]


@pytest.mark.parametrize(
    ("service", "state"),
    [
        (Service("a"), ENABLED),
        (Service("a"), STATIC),
        (Service("a", running=False, enabled=False), DISABLED),
        (Service("a", running=False, enabled=False), MASKED),
        (Service("a", running=False, enabled=False), MISSING),
        (Service("a", running=None, enabled=None), DISABLED),
        (Service("a", masked=True), MASKED),
    ],
)
def test_a_unit_as_wanted_needs_nothing(service: Service, state: UnitState) -> None:
    assert verbs((service, state)) == []


@pytest.mark.parametrize(
    ("service", "state", "wanted"),
    [
        (Service("a"), DISABLED, ["systemctl enable a", "systemctl start a"]),
        (Service("a"), UnitState("loaded", "failed", "enabled"), ["systemctl start a"]),
        (Service("a", enabled=None), DISABLED, ["systemctl start a"]),
        (
            Service("a", running=False, enabled=False),
            ENABLED,
            ["systemctl disable a", "systemctl stop a"],
        ),
        (Service("a", masked=True), ENABLED, ["systemctl mask --now a"]),
        (Service("a"), MASKED, ["systemctl unmask a", "systemctl enable a", "systemctl start a"]),
    ],
)
def test_only_the_difference_is_made(service: Service, state: UnitState, wanted: list[str]) -> None:
    assert verbs((service, state)) == wanted


def test_units_with_the_same_need_share_a_command() -> None:
    assert verbs((Service("a"), DISABLED), (Service("b"), DISABLED)) == [
        "systemctl enable a b",
        "systemctl start a b",
    ]


def test_missing_units_are_all_named() -> None:
    with ctx_host.use(Node((MISSING, ENABLED, MISSING))):
        [refusal] = services._inner([Service("a"), Service("b"), Service("c")])
    assert isinstance(refusal, Refusal)
    assert refusal.sentence.startswith("a, c: systemd has no such unit")


def test_a_node_without_systemd_is_refused() -> None:
    with ctx_host.use(Node(None)):
        [refusal] = services._inner([Service("a")])
    assert "systemd did not say" in refusal.sentence
