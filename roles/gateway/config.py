"""HAProxy's configuration for one node."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from flightline.errors import FlightlineError
from flightline.serving import layout
from flightline.serving.upstreams import Upstream
from flightline.templates import render
from roles.gateway import audit_log, backends
from roles.gateway.backends import Door, Model
from roles.gateway.routes import routes
from roles.gateway.settings import GatewaySettings, JwtSettings

JWT_KEY = f"{layout.GATEWAY}/jwt.pem"
HEADER_BYTES = 32_768
"""Headers of a request at most: browsers and clients stay below 16 KiB (RFC 9110, 5.4, names no
limit)."""
_REWRITE_BYTES = 16_384
_SLACK_BYTES = 8_192
_LISTS = ("", *(f"[{index}]" for index in range(8)))
_CHALLENGE = 'hdr www-authenticate "Bearer realm=\\"flightline\\""'
_TEMPLATE = "gateway/etc/flightline/gateway/haproxy.cfg.j2"


def config(
    settings: GatewaySettings, node: str, address: str | None, upstreams: Sequence[Upstream]
) -> str:
    """Return the file's content; its `description` is the digest of all the rest.

    Raises FlightlineError where the inventory's engines cannot stand behind one gateway.
    """
    models = backends.models(upstreams, node)
    doors = backends.doors(upstreams, node, address)
    _refuse_taken_ports(settings, address, doors)
    _refuse_strange_models(settings, models)
    draw = partial(render, _TEMPLATE, **_values(settings, models, doors))
    return draw(description=digest(draw(description="")))


def digest(text: str) -> str:
    """Return the sha256 of a configuration, whatever its description says."""
    lines = [line for line in text.splitlines() if not line.startswith("    description ")]
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def connections(settings: GatewaySettings, doors: Sequence[Door]) -> int:
    """Return how many connections HAProxy may hold: clients', other nodes', and the exporter's."""
    return settings.max_connections * (2 if doors else 1) + 100


def _values(
    settings: GatewaySettings, models: Sequence[Model], doors: Sequence[Door]
) -> dict[str, Any]:
    has_grpc = any(model.grpc for model in models)
    known = routes(has_grpc=has_grpc)
    body_bytes = settings.max_request_kib * 1024
    return {
        "settings": settings,
        "layout": layout,
        "connections": connections(settings, doors),
        "buffer_bytes": body_bytes + HEADER_BYTES + _REWRITE_BYTES + _SLACK_BYTES,
        "body_bytes": body_bytes,
        "header_bytes": HEADER_BYTES,
        "routes": known,
        "has_grpc": has_grpc,
        "json_routes": " ".join(route.name for route in known if route.is_json),
        "admin_routes": " ".join(route.name for route in known if route.is_for_admins),
        "models": models,
        "doors": doors,
        "listed": partial(backends.listed, models),
        "backends_of": partial(_backends_of, models),
        "challenge": _CHALLENGE,
        **_audit(settings),
        **_jwt(settings.jwt),
    }


def _audit(settings: GatewaySettings) -> dict[str, Any]:
    captures = audit_log.request_captures(settings.audit_log)
    return {
        "log_target": audit_log.log_target(settings.audit_log),
        "log_format": audit_log.log_format(settings.audit_log),
        "unique_id": audit_log.UNIQUE_ID,
        "audit_socket": f"unix@{audit_log.AUDIT_SOCKET}",
        "without_keys": audit_log.WITHOUT_KEYS,
        "captures": [rule for rule in captures if "req.body" not in rule],
        "body_captures": [rule for rule in captures if "req.body" in rule],
        "response_captures": audit_log.response_captures(),
    }


def _jwt(jwt: JwtSettings | None) -> dict[str, Any]:
    # admin last: the last rule that matches wins
    roles = sorted(jwt.roles.items(), key=lambda pair: pair[1] == "admin") if jwt else []
    return {"jwt": jwt, "jwt_key": JWT_KEY, "jwt_roles": roles, "lists": _LISTS}


def _backends_of(models: Sequence[Model], allowed: Sequence[str]) -> str:
    return " ".join(
        name
        for model in models
        if model.name in allowed
        for name in (model.backend, model.grpc_backend)
    )


def _refuse_taken_ports(
    settings: GatewaySettings, address: str | None, doors: Sequence[Door]
) -> None:
    taken = {int(door.engine.rpartition(":")[2]): door.name for door in doors}
    if address is not None and settings.public and settings.port in taken:
        raise FlightlineError(
            f"port {settings.port} is the clients' and that of {taken[settings.port]}; give one "
            "another (GatewaySettings.port, EngineSettings.port)."
        )


def _refuse_strange_models(settings: GatewaySettings, models: Sequence[Model]) -> None:
    known = {model.name for model in models}
    for name, allowed in settings.models_of_keys.items():
        if strange := sorted(set(allowed) - known):
            raise FlightlineError(
                f"key {name} may use {', '.join(strange)}, which no engine serves; engines serve "
                f"{', '.join(sorted(known)) or 'nothing'} (GatewaySettings.models_of_keys)."
            )
