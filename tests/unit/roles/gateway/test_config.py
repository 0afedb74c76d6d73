"""What a gateway is told of the inventory's engines, and what cannot stand behind one."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.errors import FlightlineError
from flightline.serving.upstreams import Upstream
from roles.gateway import backends
from roles.gateway.config import config, digest
from roles.gateway.routes import routes
from roles.gateway.settings import GatewaySettings, JwtSettings

HERE = Upstream("n1", "10.0.0.1", "chat", "chat", ("gpt",), 8001, None, "/health")
THERE = replace(HERE, node="n2", address="10.0.0.2")
SETTINGS = GatewaySettings(enabled=True)


def test_every_slot_of_every_node_is_a_server() -> None:
    (model,) = backends.models((HERE, THERE), "n1")
    told = [(each.name, each.address, each.weight) for each in model.servers]
    assert told == [
        ("n1.chat-a", "127.0.0.1:8001", 100),
        ("n1.chat-b", "127.0.0.1:8002", 0),
        ("n2.chat-a", "10.0.0.2:8001", 100),
        ("n2.chat-b", "10.0.0.2:8002", 0),
    ]
    assert [bool(each.tls) for each in model.servers] == [False, False, True, True]
    assert "verify required" in model.servers[2].tls
    assert "verifyhost n2" in model.servers[2].tls


def test_an_ipv6_address_is_bracketed() -> None:
    (model,) = backends.models((replace(THERE, address="fd00::7"),), "n1")
    assert model.servers[0].address == "[fd00::7]:8001"
    (door, _) = backends.doors((HERE,), "n1", "fd00::1")
    assert door.address == "[fd00::1]:8001"


def test_a_node_opens_doors_for_its_own_engines_alone() -> None:
    doors = backends.doors((HERE, THERE), "n1", "10.0.0.1")
    assert [(each.address, each.engine) for each in doors] == [
        ("10.0.0.1:8001", "127.0.0.1:8001"),
        ("10.0.0.1:8002", "127.0.0.1:8002"),
    ]
    assert backends.doors((HERE, THERE), "n1", None) == ()


@pytest.mark.parametrize(
    ("upstreams", "told"),
    [
        ((HERE, replace(THERE, health_path="/v2/health/ready")), "asked for their health on"),
        ((HERE, replace(THERE, model="code", service="code")), "gpt is a name of the models"),
        ((replace(HERE, aliases=("a b",)),), "cannot be a model's name"),
        ((replace(HERE, aliases=('a"',)),), "cannot be a model's name"),
    ],
)
def test_what_cannot_stand_behind_a_gateway_is_refused(
    upstreams: tuple[Upstream, ...], told: str
) -> None:
    with pytest.raises(FlightlineError) as error:
        config(SETTINGS, "n1", None, upstreams)
    assert told in error.value.message


def test_ports_that_are_taken_are_refused() -> None:
    clash = SETTINGS.model_copy(update={"port": 8002})
    with pytest.raises(FlightlineError, match="port 8002 is the clients'"):
        config(clash, "n1", "10.0.0.1", (HERE,))
    assert config(clash, "n1", None, (HERE,))


def test_a_model_that_no_engine_serves_cannot_be_given_to_a_key() -> None:
    settings = SETTINGS.model_copy(update={"models_of_keys": {"ada": ("cod",)}})
    with pytest.raises(FlightlineError, match="which no engine serves; engines serve chat"):
        config(settings, "n1", None, (HERE,))


def test_a_gateway_may_have_no_model_yet() -> None:
    text = config(SETTINGS, "n1", None, ())
    assert '{"object":"list","data":[]}' in text


def test_the_digest_is_of_all_but_itself() -> None:
    text = config(SETTINGS, "n1", None, (HERE,))
    assert f"    description {digest(text)}\n" in text
    assert digest(text.replace("timeout connect 5s", "timeout connect 6s")) not in text


@given(st.text(alphabet="abc/.%2eE\\;", min_size=1, max_size=20))
def test_only_the_declared_paths_are_routes(path: str) -> None:
    for route in routes(has_grpc=True):
        kind, _, told = route.condition.removeprefix("path -m ").partition(" ")
        if kind == "str":
            assert f"/{path}" not in told.split()
        else:
            assert not re.search(told, f"/v1/models/../{path}")
            assert not re.search(told, f"/{path}")


KEYS: dict[str, Any] = {
    "no key": "not a key\n",
    "a private key": "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n",
}


def jwt(path: Path, algorithm: Literal["RS256", "ES256"] = "RS256") -> JwtSettings:
    return JwtSettings(
        algorithm=algorithm,
        key_file=path.name,
        issuer="https://idp",
        audience="llm",
    )
