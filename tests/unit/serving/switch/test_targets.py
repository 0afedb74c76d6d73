"""What of an inventory serves a model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from flightline.errors import FlightlineError
from flightline.serving.switch.targets import targets


def engine(name: str = "chat", model: str = "tiny", **more: Any) -> SimpleNamespace:
    fields = {
        "name": name, "model": model, "aliases": (), "port": 9000, "grpc_port": None,
        "health_path": "/health", "leader": None, "image": "r/i@sha256:1", "nodes": (),
        **more,
    }  # fmt: skip
    return SimpleNamespace(**fields)


def host(
    name: str, *engines: Any, gateway: bool = True, address: str | None = None, **more: Any
) -> SimpleNamespace:
    versions = [SimpleNamespace(version=each) for each in more.get("versions", ("v1", "v2"))]
    data = {
        "inference": SimpleNamespace(engines=engines),
        "models": SimpleNamespace(
            store="/data/models", models=(SimpleNamespace(name="tiny", versions=versions),)
        ),
        "gateway": SimpleNamespace(
            enabled=gateway, public=more.get("public", True), address="*", port=8443
        ),
        "serving_address": address,
    }
    return SimpleNamespace(name=name, data=data)


def test_every_service_of_the_model_and_every_gateway_that_reaches_one_is_found() -> None:
    found = targets(
        [
            host("node-1", engine(), engine("other", "big"), address="10.0.0.1"),
            host("node-2", engine(), address="10.0.0.2", gateway=False),
            host("edge"),
            host("private", public=False),
        ],
        "tiny",
        "v2",
    )
    assert [each.key for each in found.services] == ["node-1/chat", "node-2/chat"]
    assert [each.node for each in found.gateways] == ["node-1", "edge"]
    assert found.gateways[1].services == ("node-1/chat", "node-2/chat")
    assert found.gateways[0].url == "https://127.0.0.1:8443"
    assert found.nodes == ("node-1", "node-2", "edge")
    assert found.store == "/data/models"


def test_a_gateway_has_only_what_it_can_reach() -> None:
    hosts = [host("node-1", engine()), host("node-2", engine(), address="10.0.0.2")]
    found = targets(hosts, "tiny", None)
    assert [each.services for each in found.gateways] == [
        ("node-1/chat", "node-2/chat"),
        ("node-2/chat",),
    ]


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ([host("n", engine(model="big"))], "no node of the inventory serves tiny; .* big"),
        ([host("n", engine(), gateway=False)], "no gateway reaches the service chat"),
        ([host("n", engine(), versions=("v1",))], "does not declare version v2 .*declared: v1"),
        ([host("n", engine(nodes=("n", "m")))], "chat spans n, m"),
    ],
)
def test_what_cannot_be_switched_is_refused(hosts: list[Any], said: str) -> None:
    with pytest.raises(FlightlineError, match=said):
        targets(hosts, "tiny", "v2")
