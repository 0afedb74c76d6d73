"""Which services a gateway sees."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from flightline.serving.upstreams import reachable, upstreams
from tests.unit.roles.inference.declared import engine


def host(name: str, address: str | None, *engines: Any) -> Any:
    settings = SimpleNamespace(engines=engines)
    return SimpleNamespace(name=name, data={"inference": settings, "serving_address": address})


def test_requests_enter_a_spread_engine_at_its_leader_alone() -> None:
    pair = engine("vllm", nodes=("gpu-1", "gpu-2"), tensor_parallel=4)
    found = upstreams([host("gpu-1", "10.0.0.1", pair), host("gpu-2", "10.0.0.2", pair)])
    assert [each.node for each in found] == ["gpu-1"]


def test_a_service_on_two_nodes_is_two_upstreams() -> None:
    found = upstreams([host("gpu-1", "10.0.0.1", engine()), host("gpu-2", None, engine())])
    assert [each.server("a") for each in found] == ["gpu-1.chat-a", "gpu-2.chat-a"]
    assert [each.node for each in reachable(found, "gpu-1")] == ["gpu-1"]
    assert [each.node for each in reachable(found, "gpu-2")] == ["gpu-1", "gpu-2"]


def test_a_node_without_engines_has_no_upstream() -> None:
    assert upstreams([SimpleNamespace(name="x", data={})]) == ()
