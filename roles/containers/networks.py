"""The IPv4 networks around a node, and where container networks run into them: pure."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_OF_DOCKER = re.compile(r"docker0|docker_gwbridge|br-[0-9a-f]{12}|veth.*")


@dataclass(frozen=True)
class Route:
    """One IPv4 destination that the node reaches by a device which is not the engine's own."""

    network: ipaddress.IPv4Network
    device: str


def parse_routes(text: str) -> tuple[Route, ...]:
    """Return the routes of `ip -j -4 route` apart from the default and the engine's own.

    One real entry: `{"dst":"10.0.2.0/24","dev":"eth0","protocol":"kernel","scope":"link",...}`
    (iproute2 6.1, Debian 12). A blackhole has a destination and no device.
    """
    routes = []
    for entry in json.loads(text or "[]"):
        destination, device = entry.get("dst", "default"), entry.get("dev", "")
        if destination in ("default", "0.0.0.0/0") or _OF_DOCKER.fullmatch(device):
            continue
        network = ipaddress.IPv4Network(destination, strict=False)
        routes.append(Route(network, device or entry.get("type", "a route")))
    return tuple(dict.fromkeys(routes))


def collisions(
    networks: Iterable[ipaddress.IPv4Network], routes: Sequence[Route]
) -> tuple[tuple[ipaddress.IPv4Network, Route], ...]:
    """Return every pair of a container network and a route that overlap."""
    return tuple(
        (network, route)
        for network in networks
        for route in routes
        if network.overlaps(route.network)
    )
