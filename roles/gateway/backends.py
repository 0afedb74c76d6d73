"""The models that a gateway serves, and the servers behind each: from the inventory's engines."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from flightline.errors import FlightlineError
from flightline.serving import layout
from flightline.serving.layout import LETTERS, Letter
from flightline.serving.upstreams import Upstream

_H2 = " proto h2"
# llama-server ends half of its connections without a word, others idle ones after 5 s: a request
# that meets the end must be tried again (docs/decisions.md), and on loopback a new one is cheap
_NEW_EACH_TIME = " pool-max-conn 0"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}")


@dataclass(frozen=True)
class Server:
    """A slot, as a line of HAProxy's configuration."""

    name: str
    address: str
    weight: int
    tls: str
    connection: str


@dataclass(frozen=True)
class Model:
    """A model, under all its names, and its servers."""

    name: str
    names: tuple[str, ...]
    health_path: str
    servers: tuple[Server, ...]
    grpc: tuple[Server, ...]

    @property
    def backend(self) -> str:
        """The backend for HTTP."""
        return layout.backend(self.name)

    @property
    def grpc_backend(self) -> str:
        """The backend for gRPC; its servers are up when those for HTTP are."""
        return f"grpc.{self.name}"


def models(upstreams: Sequence[Upstream], node: str) -> tuple[Model, ...]:
    """Return the models behind a gateway on `node`, by name.

    Raises FlightlineError where two models share a name, a name cannot be written, or engines of
    one model are asked for their health on different paths.
    """
    names = sorted({each.model for each in upstreams})
    found = tuple(_model(name, [u for u in upstreams if u.model == name], node) for name in names)
    _refuse_shared_names(found)
    return found


def listed(found: Sequence[Model], allowed: Sequence[str] | None = None) -> str:
    """Return the answer to GET /v1/models: all models, or those of them that are allowed."""
    data = [
        {"id": name, "object": "model", "created": 0, "owned_by": "flightline"}
        for model in found
        if allowed is None or model.name in allowed
        for name in model.names
    ]
    return json.dumps({"object": "list", "data": data}, separators=(",", ":"))


def _model(name: str, services: Sequence[Upstream], node: str) -> Model:
    paths = sorted({each.health_path for each in services})
    if len(paths) > 1:
        raise FlightlineError(
            f"model {name}: its engines are asked for their health on {' and '.join(paths)}, and a "
            "backend asks on one path; give the engines of a model one kind (InferenceSettings)."
        )
    names = tuple(dict.fromkeys([name, *(alias for each in services for alias in each.aliases)]))
    for each in names:
        if not _NAME.fullmatch(each):
            raise FlightlineError(
                f"model {name}: {each!r} cannot be a model's name; use letters, digits and "
                ". _ : / @ - (EngineSettings.aliases)."
            )
    slots = [(each, letter) for each in services for letter in LETTERS]
    return Model(
        name,
        names,
        paths[0],
        tuple(_server(each, letter, each.port, node) for each, letter in slots),
        tuple(
            _server(each, letter, each.grpc_port, node, is_grpc=True)
            for each, letter in slots
            if each.grpc_port is not None
        ),
    )


def _server(
    service: Upstream, letter: Letter, first_port: int, node: str, *, is_grpc: bool = False
) -> Server:
    """A slot on this node is reached on loopback; one on another node through its door, by TLS."""
    port = layout.slot_port(first_port, letter)
    weight = layout.WEIGHT_FULL if letter == "a" else 0
    is_own = service.node == node
    host = "127.0.0.1" if is_own else _bracketed(service.address or service.node)
    tls = "" if is_own else _tls(service.node, is_grpc=is_grpc)
    connection = _to_engine(is_grpc=is_grpc) if is_own else " alpn h2" if is_grpc else ""
    return Server(service.server(letter), f"{host}:{port}", weight, tls, connection)


def _to_engine(*, is_grpc: bool) -> str:
    return _H2 if is_grpc else _NEW_EACH_TIME


def _tls(node: str, *, is_grpc: bool) -> str:
    checked = "" if is_grpc else f" check-sni {node}"
    return (
        f" ssl verify required ca-file {layout.NODES_AUTHORITY} verifyhost {node} sni str({node}) "
        f"crt {layout.NODE_CERTIFICATE}{checked}"
    )


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _refuse_shared_names(found: Sequence[Model]) -> None:
    owners: dict[str, str] = {}
    for model in found:
        for name in model.names:
            if owners.setdefault(name, model.name) != model.name:
                raise FlightlineError(
                    f"{name} is a name of the models {owners[name]} and {model.name}; a request "
                    "for it has one place to go: take the alias from one (EngineSettings.aliases)."
                )


@dataclass(frozen=True)
class Door:
    """Where other nodes' gateways reach one slot of this node."""

    name: str
    address: str
    engine: str
    alpn: str
    connection: str


def doors(upstreams: Sequence[Upstream], node: str, address: str | None) -> tuple[Door, ...]:
    """Return the doors of this node; none without an address that other nodes reach."""
    if address is None:
        return ()
    own = [each for each in upstreams if each.node == node]
    return tuple(
        door for each in own for letter in LETTERS for door in _doors(each, letter, address)
    )


def _doors(service: Upstream, letter: Letter, address: str) -> tuple[Door, ...]:
    slot = layout.slot(service.service, letter)
    plain = _door(f"node.{slot}", address, service.slot_port(letter), is_grpc=False)
    if service.grpc_port is None:
        return (plain,)
    port = layout.slot_port(service.grpc_port, letter)
    return plain, _door(f"node.grpc.{slot}", address, port, is_grpc=True)


def _door(name: str, address: str, port: int, *, is_grpc: bool) -> Door:
    return Door(
        name,
        f"{_bracketed(address)}:{port}",
        f"127.0.0.1:{port}",
        "h2" if is_grpc else "h2,http/1.1",
        _to_engine(is_grpc=is_grpc),
    )
