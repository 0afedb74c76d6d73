"""Every engine of an inventory, as a gateway sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flightline.serving import layout
from flightline.serving.layout import Letter


class Service(Protocol):
    """What a gateway needs to know of a declared engine."""

    @property
    def name(self) -> str:
        """The service's name, once on a node."""

    @property
    def model(self) -> str:
        """The model's name, as clients ask for it."""

    @property
    def aliases(self) -> Sequence[str]:
        """Other names that clients may use."""

    @property
    def port(self) -> int:
        """Loopback port of slot a; slot b has the next one."""

    @property
    def grpc_port(self) -> int | None:
        """The same for gRPC; None where the engine has none."""

    @property
    def health_path(self) -> str:
        """Answers 200 while the engine is ready."""

    @property
    def leader(self) -> str | None:
        """The node where requests enter an engine over several; None: each node for itself."""


@dataclass(frozen=True)
class Upstream:
    """One service on one node."""

    node: str
    address: str | None
    """Where other nodes reach it (`serving_address` in the inventory); None: from its node only."""
    service: str
    model: str
    aliases: tuple[str, ...]
    port: int
    grpc_port: int | None
    health_path: str

    def server(self, letter: Letter) -> str:
        """Return the name of a slot's server in the gateways."""
        return layout.server(self.node, layout.slot(self.service, letter))

    def slot_port(self, letter: Letter) -> int:
        """Return the port of a slot."""
        return layout.slot_port(self.port, letter)


def upstreams(hosts: Iterable[Any]) -> tuple[Upstream, ...]:
    """Return the services of these pyinfra hosts, in their order."""
    return tuple(each for host in hosts for each in of_host(host.name, host.data))


def of_host(node: str, data: Any) -> Iterator[Upstream]:
    """Yield the services of one host."""
    declared = data.get("inference")
    for each in declared.engines if declared is not None else ():
        if each.leader in (None, node):
            yield Upstream(
                node, data.get("serving_address"), each.name, each.model, tuple(each.aliases),
                each.port, each.grpc_port, each.health_path,
            )  # fmt: skip


def reachable(found: Iterable[Upstream], node: str) -> tuple[Upstream, ...]:
    """Return those that a gateway on `node` can reach: its own, and those with an address."""
    return tuple(each for each in found if each.node == node or each.address is not None)
