"""What a node is to run, what differs, and what nobody allowed."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from flightline.errors import NodeRefused
from flightline.serving import state
from flightline.serving.state import ServiceState
from roles.inference.container import declaration
from roles.inference.facts import Running, Serving, parse_serving
from roles.inference.settings import InferenceSettings
from roles.inference.wanted import Wanted, refuse_harm, wanted, work
from tests.unit.roles.inference.declared import engine

CHAT = InferenceSettings(engines=(engine(),))
ALLOWED = CHAT.model_copy(update={"restart_allowed": True})
SWITCHED = ServiceState(model="tiny", active="b", a="1", b="2")


def target(serving: Serving, settings: InferenceSettings = CHAT, node: str = "gpu-1") -> Wanted:
    addresses = {"gpu-1": "10.9.0.1", "gpu-2": "10.9.0.2"}
    return wanted(settings, serving, {"tiny": "1"}, node, addresses.get)


def node(chat: ServiceState | None = None, settings: InferenceSettings = CHAT) -> Serving:
    """A node that runs what is declared."""
    states = {"chat": chat or state.fresh("tiny", "1")}
    bare = Serving(True, "28.5.1", states)
    running = target(bare, settings).running
    return Serving(
        True,
        "28.5.1",
        states,
        {slot.name: "active" for slot in running},
        frozenset(slot.name for slot in running),
        {
            slot.name: Running(True, declaration(slot), target(bare, settings).version(slot) or "")
            for slot in running
        },
        frozenset(each.image for each in settings.engines),
    )


def changed(serving: Serving, **values: Any) -> Serving:
    return Serving(**{**vars(serving), **values})


def todo(serving: Serving, settings: InferenceSettings = CHAT) -> dict[str, list[str]]:
    found = work(target(serving, settings), serving)
    named = {
        "start": [slot.name for slot in found.start],
        "restart": [slot.name for slot in found.restart],
        "stop": list(found.stop),
        "remove": list(found.remove),
    }
    return {name: slots for name, slots in named.items() if slots}


def refused(serving: Serving, settings: InferenceSettings = CHAT) -> str:
    with pytest.raises(NodeRefused) as refusal:
        refuse_harm(settings, target(serving, settings), serving)
    return refusal.value.message


@pytest.mark.parametrize("held", [None, SWITCHED])
def test_a_node_as_declared_needs_nothing(held: ServiceState | None) -> None:
    assert todo(node(held)) == {}
    refuse_harm(CHAT, target(node(held)), node(held))


def test_a_fresh_service_starts_in_slot_a_with_the_declared_version() -> None:
    bare = Serving(True, "28", {})
    assert todo(bare) == {"start": ["chat-a"]}
    assert target(bare).states["chat"] == state.fresh("tiny", "1")
    assert target(bare).fresh == {"chat"}


def test_a_service_that_was_switched_keeps_its_version_and_its_standby() -> None:
    found = target(node(SWITCHED))
    assert [(slot.name, found.version(slot)) for slot in found.running] == [
        ("chat-a", "1"),
        ("chat-b", "2"),
    ]


@pytest.mark.parametrize("units", [{}, {"chat-a": "failed"}, {"chat-a": "activating"}])
def test_an_engine_that_does_not_run_is_started_without_leave(units: dict[str, str]) -> None:
    found = changed(node(), units=units, containers={})
    refuse_harm(CHAT, target(found), found)
    assert todo(found) == {"start": ["chat-a"]}


def test_an_engine_that_would_not_start_at_boot_is_enabled() -> None:
    assert todo(changed(node(), enabled=frozenset())) == {"start": ["chat-a"]}


@pytest.mark.parametrize("label", [("other", "1"), (None, "0")])
def test_another_declaration_of_a_running_engine_wants_leave(label: tuple[Any, str]) -> None:
    (slot,) = target(node()).running
    found = changed(
        node(), containers={"chat-a": Running(True, label[0] or declaration(slot), label[1])}
    )
    assert todo(found) == {"restart": ["chat-a"]}
    said = refused(found)
    assert "chat-a runs with other arguments than declared" in said
    assert "InferenceSettings.restart_allowed" in said
    refuse_harm(ALLOWED, target(found, ALLOWED), found)


def test_a_setting_that_the_container_has_is_a_change() -> None:
    larger = InferenceSettings(engines=(engine(context_tokens=4096),))
    assert todo(node(), larger) == {"restart": ["chat-a"]}


def test_how_long_a_start_may_take_is_none() -> None:
    slower = InferenceSettings(engines=(engine(start_timeout_seconds=3600),))
    assert todo(node(), slower) == {}


def test_a_slot_that_no_state_names_is_stopped_with_leave_alone() -> None:
    found = node()
    found = changed(found, units={**found.units, "chat-b": "active"})
    assert todo(found) == {"stop": ["chat-b"]}
    assert "has no version for it" in refused(found)
    refuse_harm(ALLOWED, target(found, ALLOWED), found)


@pytest.mark.parametrize(
    "left",
    [
        {"units": {"chat-a": "active", "old-a": "active"}},
        {"containers": {"old-b": Running(True, "x", "1")}},
    ],
)
def test_a_service_that_is_declared_no_more_is_removed_with_leave_alone(
    left: dict[str, Any],
) -> None:
    found = node()
    merged = {name: {**getattr(found, name), **value} for name, value in left.items()}
    found = changed(found, **merged)
    assert todo(found) == {"remove": ["old"]}
    assert refused(found).startswith("old runs and is declared no more")
    refuse_harm(ALLOWED, target(found, ALLOWED), found)


def test_what_is_left_of_a_service_that_does_not_run_is_removed_without_leave() -> None:
    found = node()
    found = changed(found, states={**found.states, "old": state.fresh("tiny", "1")})
    refuse_harm(CHAT, target(found), found)
    assert todo(found) == {"remove": ["old"]}


@pytest.mark.parametrize("settings", [CHAT, ALLOWED])
def test_a_switch_under_way_is_left_to_its_command(settings: InferenceSettings) -> None:
    under_way = SWITCHED.model_copy(
        update={"switching": state.Switching(to="2", mode="side-by-side", step="canary-10")}
    )
    said = refused(node(under_way), settings)
    assert "being switched to 2 (step canary-10)" in said
    assert "--resume" in said
    assert "--undo" in said


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (state.fresh("llama", "1"), "a service keeps its model"),
        (ServiceState(model="tiny", active="b", a="1"), "move the file away"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(held: ServiceState, told: str) -> None:
    with pytest.raises(NodeRefused, match=told):
        target(Serving(True, "28", {"chat": held}))


def test_a_model_that_the_node_does_not_have_is_refused() -> None:
    with pytest.raises(NodeRefused, match=r"serves tiny, which ModelsSettings\.models does not"):
        wanted(CHAT, Serving(True, "28", {}), {"llama": "1"}, "gpu-1", lambda _: None)


def spread() -> InferenceSettings:
    pair = engine("vllm", nodes=("gpu-1", "gpu-2"), tensor_parallel=2, pipeline_parallel=2)
    return InferenceSettings(engines=(pair,))


def test_an_engine_over_nodes_gets_its_part_from_the_inventory() -> None:
    follower = target(Serving(True, "28", {}), spread(), "gpu-2").slots[0]
    assert (follower.place.rank, follower.place.leader_address) == (1, "10.9.0.1")
    assert follower.health_url == ""
    leader = target(Serving(True, "28", {}), spread(), "gpu-1").slots[0]
    assert (leader.place.rank, leader.health_url) == (0, "http://127.0.0.1:18000/health")


def test_a_node_that_an_engine_does_not_span_is_refused() -> None:
    with pytest.raises(NodeRefused, match="which this node is not among"):
        target(Serving(True, "28", {}), spread(), "gpu-3")


def test_a_node_without_an_address_is_refused() -> None:
    with pytest.raises(NodeRefused, match="gpu-1 has no `serving_address`"):
        wanted(spread(), Serving(True, "28", {}), {"tiny": "1"}, "gpu-2", {"gpu-2": "x"}.get)


def test_what_the_script_prints_is_taken_apart() -> None:
    coded = base64.b64encode(state.dumps(SWITCHED).encode()).decode()
    found = parse_serving(
        [
            "tool curl",
            f"state chat {coded}",
            "unit flightline-engine@chat-a.service inactive",
            "enabled flightline-engine@chat-b.service",
            "docker 28.5.1",
            "container chat-b true abc 2",
            "container chat-a false",
            "image r.example.org/a@sha256:0",
            "end",
        ]
    )
    assert found == Serving(
        True,
        "28.5.1",
        {"chat": SWITCHED},
        {"chat-a": "inactive"},
        frozenset({"chat-b"}),
        {"chat-b": Running(True, "abc", "2"), "chat-a": Running(False, "", "")},
        frozenset({"r.example.org/a@sha256:0"}),
    )


@pytest.mark.parametrize(
    "lines", [[], ["tool curl"], ["state chat e30=", "end"], ["state chat ?", "end"]]
)
def test_half_an_answer_is_none(lines: list[str]) -> None:
    with pytest.raises(ValueError, match=r"cut short|not a service|not text"):
        parse_serving(lines)


@pytest.mark.parametrize("version", ["20.10.24+dfsg1", "24.0.9"])
def test_gpus_by_cdi_want_a_docker_that_knows_it(version: str) -> None:
    settings = InferenceSettings(engines=(engine("vllm"),))
    found = Serving(True, version, {})
    assert 'gpu_injection="runtime"' in refused(found, settings)
    refuse_harm(CHAT, target(found), found)
    older = settings.model_copy(update={"gpu_injection": "runtime"})
    refuse_harm(older, target(found, older), found)
