"""What cannot work between the settings of several roles, said before the first connection.

Hosts are pyinfra's: `host.name` and `host.data` are all that is asked of them. No role is known
here: settings are read by the names of their fields.

node      the settings of one node that serving is about
on_node   rules within a node
fleet     rules between nodes
sizes     engines held against their GPUs
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flightline.serving.declared import fleet, on_node, sizes
from flightline.serving.declared.node import Node, node_of


def problems(hosts: Iterable[Any], everyone: Iterable[Any] | None = None) -> tuple[str, ...]:
    """Return why the declarations of these hosts cannot work together; empty when they can.

    `everyone`: all hosts of the inventory, where `hosts` are some of them; names and ways between
    nodes are judged among all. A sentence that holds for several nodes is there once.
    """
    nodes, others = _nodes(hosts, everyone)
    known = sizes.Sizes()
    alone = ((node.name, each) for node in nodes for each in _of_node(node, known))
    return (*_gathered(alone), *fleet.problems(nodes, others))


def warnings(hosts: Iterable[Any], everyone: Iterable[Any] | None = None) -> tuple[str, ...]:
    """Return what is allowed and unwise, and what is not judged; sentences as in `problems`."""
    nodes, others = _nodes(hosts, everyone)
    known = sizes.Sizes()
    alone = ((node.name, each) for node in nodes for each in sizes.warnings(node, known))
    return (*_gathered(alone), *fleet.warnings(nodes, others))


def notes(hosts: Iterable[Any]) -> tuple[str, ...]:
    """Return for each service whether old and new version can stand side by side in a switch."""
    known = sizes.Sizes()
    nodes = [node_of(host) for host in hosts]
    return _gathered((node.name, each) for node in nodes for each in sizes.notes(node, known))


def _of_node(node: Node, known: sizes.Sizes) -> Iterator[str]:
    yield from on_node.problems(node)
    yield from sizes.problems(node, known)


def _nodes(hosts: Iterable[Any], everyone: Iterable[Any] | None) -> tuple[list[Node], list[Node]]:
    nodes = [node_of(host) for host in hosts]
    return nodes, nodes if everyone is None else [node_of(host) for host in everyone]


def _gathered(found: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """A fleet of a hundred alike nodes says a thing once."""
    nodes: dict[str, list[str]] = {}
    for node, sentence in found:
        nodes.setdefault(sentence, []).append(node)
    return tuple(f"{_listed(names)}: {sentence}" for sentence, names in nodes.items())


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
