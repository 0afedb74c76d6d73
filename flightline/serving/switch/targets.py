"""The services and gateways of an inventory that serve one model; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flightline.errors import FlightlineError
from flightline.serving import layout
from flightline.serving.layout import Letter
from flightline.serving.upstreams import Upstream, of_host, reachable


@dataclass(frozen=True)
class Service:
    """One service of the model on one node."""

    upstream: Upstream
    image: str = ""
    """The declared container image; "" where the declaration has none."""
    engine: Any = None
    """The declared engine, for whoever sizes it."""

    @property
    def key(self) -> str:
        """What the service is called among all of the inventory: node-1/chat."""
        return f"{self.upstream.node}/{self.upstream.service}"

    @property
    def node(self) -> str:
        """The node's name."""
        return self.upstream.node

    @property
    def name(self) -> str:
        """The service's name on its node."""
        return self.upstream.service

    def server(self, letter: Letter) -> str:
        """Return the name of a slot's server in the gateways."""
        return self.upstream.server(letter)

    def port(self, letter: Letter) -> int:
        """Return the loopback port of a slot."""
        return self.upstream.slot_port(letter)

    def unit(self, letter: Letter) -> str:
        """Return the systemd unit of a slot."""
        return layout.unit(layout.slot(self.name, letter))


@dataclass(frozen=True)
class Gateway:
    """One gateway, and what it can reach of the model."""

    node: str
    url: str
    """Where the node itself reaches it as a client does: https://127.0.0.1:8443."""
    services: tuple[str, ...]
    """Keys of the services."""


@dataclass(frozen=True)
class Targets:
    """Everything of an inventory that serves one model."""

    model: str
    store: str
    services: tuple[Service, ...]
    gateways: tuple[Gateway, ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that a switch touches, in the inventory's order."""
        names = [each.node for each in self.services] + [each.node for each in self.gateways]
        return tuple(dict.fromkeys(names))

    def service(self, key: str) -> Service:
        """Return the service of that key."""
        return next(each for each in self.services if each.key == key)

    def gateways_of(self, key: str) -> tuple[Gateway, ...]:
        """Return the gateways that send requests to a service."""
        return tuple(each for each in self.gateways if key in each.services)


def targets(hosts: Sequence[Any], model: str, version: str | None) -> Targets:
    """Return what serves the model among these pyinfra hosts.

    Raises FlightlineError where nothing does, where no gateway reaches a service, or where a node
    that serves it does not declare the version.
    """
    services = tuple(each for host in hosts for each in _services(host) if _is(each, model))
    if not services:
        raise FlightlineError(_unserved(hosts, model))
    _refuse_spanning(services)
    if version is not None:
        _refuse_undeclared(hosts, services, model, version)
    gateways = tuple(_gateways(hosts, services))
    for each in services:
        if not any(each.key in gateway.services for gateway in gateways):
            raise FlightlineError(
                f"{each.node}: no gateway reaches the service {each.name}; set GatewaySettings."
                "enabled there, or `serving_address` in the inventory, and apply."
            )
    return Targets(model, _store(hosts, services[0].node), services, gateways)


def _services(host: Any) -> Iterable[Service]:
    declared = host.data.get("inference")
    engines: dict[str, Any] = {
        each.name: each for each in (declared.engines if declared is not None else ())
    }
    for upstream in of_host(host.name, host.data):
        engine = engines[upstream.service]
        yield Service(upstream, str(getattr(engine, "image", "")), engine)


def _is(service: Service, model: str) -> bool:
    return service.upstream.model == model


def _unserved(hosts: Sequence[Any], model: str) -> str:
    served = sorted({each.upstream.model for host in hosts for each in _services(host)})
    shown = f"those served are {', '.join(served)}" if served else "none of them serves any"
    return (
        f"no node of the inventory serves {model}; {shown}. Name one of InferenceSettings.engines."
    )


def _refuse_spanning(services: Sequence[Service]) -> None:
    for each in services:
        if nodes := tuple(getattr(each.engine, "nodes", ()) or ()):
            raise FlightlineError(
                f"{each.node}: {each.name} spans {', '.join(nodes)}; a switch knows engines on one "
                "node: serve the version under a service of its own, and move clients there."
            )


def _refuse_undeclared(
    hosts: Sequence[Any], services: Sequence[Service], model: str, version: str
) -> None:
    nodes = {each.node for each in services}
    for host in hosts:
        if host.name not in nodes:
            continue
        declared = host.data.get("models")
        known = [
            each.version
            for entry in (declared.models if declared is not None else ())
            if entry.name == model
            for each in entry.versions
        ]
        if version not in known:
            raise FlightlineError(
                f"{host.name}: ModelsSettings does not declare version {version} of {model} "
                f"(declared: {', '.join(known) or 'none'}); declare it, apply, then switch."
            )


def _gateways(hosts: Sequence[Any], services: Sequence[Service]) -> Iterable[Gateway]:
    found = {each.upstream: each.key for each in services}
    for host in hosts:
        settings = host.data.get("gateway")
        if settings is None or not settings.enabled or not getattr(settings, "public", True):
            continue
        keys = tuple(found[each] for each in reachable(found, host.name))
        if keys:
            yield Gateway(host.name, _url(settings.address, settings.port), keys)


def _url(address: str, port: int) -> str:
    host = "127.0.0.1" if address in {"*", "0.0.0.0"} else address  # noqa: S104 - compared only
    return f"https://{f'[{host}]' if ':' in host else host}:{port}"


def _store(hosts: Sequence[Any], node: str) -> str:
    host = next(each for each in hosts if each.name == node)
    declared = host.data.get("models")
    return declared.store if declared is not None else "/srv/models"
