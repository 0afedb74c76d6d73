"""What cannot work between nodes: names that clients use, and ways from gateways to engines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flightline.serving.declared.node import Declared, Node


def problems(nodes: Sequence[Node], everyone: Sequence[Node]) -> tuple[str, ...]:
    """Return why these nodes cannot serve together with all others."""
    return (
        *_names(everyone),
        *_doors(nodes, everyone),
        *_peers(nodes, everyone),
        *_limits(nodes, everyone),
        *_spanning(nodes, everyone),
    )


def warnings(nodes: Sequence[Node], everyone: Sequence[Node]) -> tuple[str, ...]:
    """Return what nobody can use."""
    if any(node.is_public for node in everyone):
        return ()
    having = [node for node in nodes if node.entrances]
    if not having:
        return ()
    names = ", ".join(node.name for node in having[:3]) + " and more" * (len(having) > 3)
    return (
        f"{names}: engines are declared, and no node of the inventory is a gateway: nobody reaches "
        "them; declare GatewaySettings(enabled=True) for one node or more",
    )


def _names(everyone: Sequence[Node]) -> Iterator[str]:
    """A name that clients use means one model, on every gateway."""
    meant: dict[str, tuple[str, str]] = {}
    for node in everyone:
        for engine in node.engines:
            for name in (engine.model, *engine.aliases):
                model, where = meant.setdefault(name, (engine.model, f"{node.name} {engine.name}"))
                if model != engine.model:
                    yield (
                        f"{node.name}: {name} means {engine.model} ({engine.name}), but {model} "
                        f"elsewhere ({where}); a name or alias means one model in the whole fleet"
                    )


def _doors(nodes: Sequence[Node], everyone: Sequence[Node]) -> Iterator[str]:
    """An engine on a node where no client enters is reached through the node's door, or not."""
    gateways = [node.name for node in everyone if node.is_public]
    for node in nodes:
        if not node.entrances or node.is_public or not gateways:
            continue
        if node.address is None:
            yield (
                f"{node.name}: the gateway on {gateways[0]} must reach its engines, and the "
                "inventory gives it no serving_address; name one, or make the node a gateway itself"
            )
        elif not node.is_gateway:
            yield (
                f"{node.name}: the gateway on {gateways[0]} must reach its engines, which listen "
                "on loopback alone; declare GatewaySettings(enabled=True, public=False) for it"
            )


def _peers(nodes: Sequence[Node], everyone: Sequence[Node]) -> Iterator[str]:
    """A mistyped name would shut a gateway out of the node's engines."""
    gateways = [node.name for node in everyone if node.is_gateway]
    for node in nodes:
        for name in node.peers:
            if name not in gateways:
                yield (
                    f"{node.name}: GatewaySettings.peers names {name}, which is no gateway of the "
                    f"inventory; the gateways are {', '.join(gateways)}"
                )


def _limits(nodes: Sequence[Node], everyone: Sequence[Node]) -> Iterator[str]:
    """A mistyped model would be one that a key may not use after all; aliases follow the model."""
    for node in nodes:
        near = [each for each in everyone if each.name == node.name or each.address is not None]
        served = {engine.model for each in near for engine in each.entrances}
        for key, allowed in node.models_of_keys.items():
            if strange := sorted(set(allowed) - served):
                yield (
                    f"{node.name}: GatewaySettings.models_of_keys lets {key} use "
                    f"{', '.join(strange)}, which no engine serves that the gateway reaches; they "
                    f"serve {', '.join(sorted(served)) or 'nothing'}: correct the model's name"
                )


def _spanning(nodes: Sequence[Node], everyone: Sequence[Node]) -> Iterator[str]:
    """An engine over several nodes is declared on each, and each has an address."""
    known = {node.name: node for node in everyone}
    for node in nodes:
        for engine in node.engines:
            for name in engine.nodes if node.name == engine.leader else ():
                yield from _part(node.name, engine, name, known.get(name))


def _part(leader: str, engine: Declared, name: str, node: Node | None) -> Iterator[str]:
    if node is None:
        yield (
            f"{leader}: {engine.name} spans {name}, which is no node of the inventory; correct "
            "EngineSettings.nodes"
        )
    elif engine.name not in {each.name for each in node.engines}:
        yield (
            f"{leader}: {engine.name} spans {name}, which does not declare it; give both nodes the "
            "same EngineSettings"
        )
    elif node.address is None:
        yield (
            f"{leader}: {engine.name} spans {name}, which has no serving_address in the "
            "inventory; name one on the network between the nodes"
        )
