"""What cannot work between the roles of one node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from flightline.serving.declared.node import Declared, Node
from flightline.serving.layout import LETTERS, side_ports, slot_port

_ADDRESS = r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,39}"


def problems(node: Node) -> Iterator[str]:
    """Yield why the node's declarations contradict one another."""
    yield from _address(node)
    yield from _models(node)
    yield from _ports(node)
    yield from _gpus(node)
    if node.is_gateway and not node.has_certificates:
        yield (
            "GatewaySettings.enabled without certificates: the gateway speaks TLS alone; declare "
            "PkiSettings(enabled=True), whatever its source"
        )


def _address(node: Node) -> Iterator[str]:
    address: object = node.address  # the inventory's, whatever it has there
    if address is None or (isinstance(address, str) and re.fullmatch(_ADDRESS, address)):
        return
    yield (
        f"serving_address is {address!r} in the inventory, expected an address or a host name, "
        'such as "10.20.0.12"'
    )


def _models(node: Node) -> Iterator[str]:
    known = ", ".join(node.models) or "none"
    for engine in node.engines:
        if engine.model not in node.models:
            yield (
                f"{engine.name} serves {engine.model}, which is not among ModelsSettings.models "
                f"({known}); add it there, or correct EngineSettings.model"
            )
    if node.engines and node.models_store and node.store != node.models_store:
        yield (
            f"InferenceSettings.store is {node.store}, and models are kept in "
            f"{node.models_store} (ModelsSettings.store); make them one folder"
        )


def _ports(node: Node) -> Iterator[str]:
    taken: dict[int, str] = {
        port: f"the gateway (GatewaySettings.{name})" for name, port in node.gateway_ports
    }
    for engine in node.engines:
        for port, owner in _ports_of(engine):
            if port in taken:
                yield (
                    f"port {port} is used by {taken[port]} and by {owner}; each slot of a service "
                    "takes a port, so leave room for two"
                )
            taken.setdefault(port, owner)


def _ports_of(engine: Declared) -> Iterator[tuple[int, str]]:
    for field in ("port", "grpc_port"):
        first = getattr(engine, field)
        for letter in LETTERS if first else ():
            yield slot_port(first, letter), f"{engine.name}, slot {letter} ({field})"
    if engine.side_port:
        for port, letter in side_ports(engine.engine, engine.side_port):
            yield port, f"{engine.name}, slot {letter} (side_port)"


def _gpus(node: Node) -> Iterator[str]:
    for one, other in combinations(node.engines, 2):
        common = sorted(set(one.gpus) & set(other.gpus))
        if common and not (one.share_gpus and other.share_gpus):
            yield (
                f"GPU {', '.join(map(str, common))} is given to {one.name} and to {other.name}; "
                "give each its own, or declare share_gpus=True for both"
            )
    if node.gpu_count is None or node.has_mig:  # MIG devices are counted by the role itself
        return
    for engine in node.engines:
        beyond = [index for index in engine.gpus if index >= (node.gpu_count or 0)]
        if beyond:
            yield (
                f"{engine.name} has GPU {', '.join(map(str, beyond))}, but the node's "
                f"{node.gpu_count} GPUs (NvidiaSettings.gpu_count) are 0 to {node.gpu_count - 1}; "
                "correct one of them"
            )
