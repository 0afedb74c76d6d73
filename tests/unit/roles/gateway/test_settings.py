"""Mistakes in the gateway's settings are told in one sentence, with the fix."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from flightline.errors import SettingsError
from flightline.serving import keys
from roles.gateway.evidence import host_of
from roles.gateway.settings import GatewaySettings, JwtSettings

TODAY = datetime.date(2026, 11, 21)
JWT: dict[str, Any] = {
    "algorithm": "RS256",
    "key_file": "files/idp.pem",
    "issuer": "https://idp.example.org/realms/llm",
    "audience": "llm",
}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"port": 0}, "GatewaySettings.port is 0"),
        ({"port": 70_000}, "GatewaySettings.port is 70000"),
        ({"port": 8405}, "port and metrics_port are both 8405"),
        ({"metrics_port": 80}, "metrics_port"),
        ({"address": "gateway.example.org"}, "not an IP address"),
        ({"address": "10.0.0.0/8"}, "not an IP address"),
        ({"keys_file": "../keys.yaml"}, "without .. in it"),
        ({"keys_file": "keys.txt"}, "YAML"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"requests_per_day": 0}, "requests_per_day"),
        ({"concurrent_requests": 0}, "concurrent_requests"),
        ({"max_request_kib": 1}, "max_request_kib"),
        ({"max_request_kib": 1_000_000}, "max_request_kib"),
        ({"header_seconds": 0}, "header_seconds"),
        ({"body_seconds": 600, "longest_answer_seconds": 600}, "not below longest_answer_seconds"),
        ({"balance": "first"}, "balance"),
        ({"models_of_keys": {"a b": ("chat",)}}, "models_of_keys"),
        ({"models_of_keys": {"ada": ("chat; deny",)}}, "models_of_keys"),
        ({"peers": ("gpu-01 gpu-02",)}, "peers"),
        ({"max_conections": 5}, "no field max_conections"),
        ({"jwt": {**JWT, "algorithm": "HS256"}}, "algorithm is 'HS256'"),
        ({"jwt": {**JWT, "algorithm": "none"}}, "algorithm is 'none'"),
        ({"jwt": {key: JWT[key] for key in JWT if key != "issuer"}}, "issuer"),
        ({"jwt": {key: JWT[key] for key in JWT if key != "audience"}}, "audience"),
        ({"jwt": {**JWT, "issuer": 'x" or 1'}}, "issuer"),
        ({"jwt": {**JWT, "key_file": "/etc/idp.pem"}}, "JwtSettings.key_file"),
        ({"jwt": {**JWT, "role_claim": "a..b"}}, "role_claim"),
        ({"jwt": {**JWT, "roles": {"ops": "superuser"}}}, "roles"),
        ({"jwt": {**JWT, "leeway_seconds": 3600}}, "leeway_seconds"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_it(values: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as error:
        GatewaySettings(**values)
    assert told in error.value.message, error.value.message
    assert "\n" not in error.value.message


def test_the_defaults_touch_nothing() -> None:
    assert not GatewaySettings().enabled
    assert GatewaySettings().jwt is None


def test_a_token_needs_no_more_than_four_facts() -> None:
    jwt = JwtSettings(**JWT)
    assert (jwt.role_claim, jwt.name_claim) == ("role", "sub")


def test_more_memory_than_a_node_has_is_warned_of() -> None:
    large = GatewaySettings(enabled=True, max_connections=20_000, max_request_kib=4096)
    told = large.warnings(TODAY)
    assert any("78 GiB of memory" in each for each in told)


def test_a_key_that_nobody_has_is_warned_of_where_it_is_limited(tmp_path: Path) -> None:
    """A mistyped name would leave the key that was meant with every model."""
    file = tmp_path / "keys.yaml"
    made = keys.Key(name="ada", role="admin", sha256="A" * 64, created=keys.now())
    keys.write(file, [made])
    limited = GatewaySettings(
        enabled=True, keys_file=str(file), models_of_keys={"ada": ("chat",), "adda": ("chat",)}
    )
    assert limited.warnings(TODAY) == (
        f"models_of_keys names adda, and {file} has no such key, so nobody is limited by it: "
        "correct the name, or make the key with `flightline key add`.",
    )
    sound = limited.model_copy(update={"models_of_keys": {"ada": ("chat",)}})
    assert sound.warnings(TODAY) == ()


def test_without_keys_a_limit_is_not_warned_of_besides(tmp_path: Path) -> None:
    none = GatewaySettings(
        enabled=True, keys_file=str(tmp_path / "k.yaml"), models_of_keys={"ada": ("chat",)}
    )
    (told,) = none.warnings(TODAY)
    assert "is not there, so no key is accepted" in told


def test_a_token_s_holder_may_be_limited_without_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flightline.serving.token_key.public_key", lambda *_: "")
    keys.write(tmp_path / "keys.yaml", [])
    held = GatewaySettings(
        enabled=True, keys_file=str(tmp_path / "keys.yaml"), jwt=JwtSettings(**JWT),
        models_of_keys={"ada": ("chat",)},
    )  # fmt: skip
    assert held.warnings(TODAY) == ()


@pytest.mark.parametrize(
    ("address", "reached"),
    [("*", "127.0.0.1"), ("10.0.0.1", "10.0.0.1"), ("2001:db8::1", "[2001:db8::1]")],
)
def test_the_audit_reaches_the_gateway_where_it_is_bound(address: str, reached: str) -> None:
    assert host_of(address) == reached
