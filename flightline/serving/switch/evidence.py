"""Keeps what is gone once the new engine is: its journal, and the gateways' counters."""

from __future__ import annotations

from flightline.serving.switch import engines, gateways
from flightline.serving.switch.fleet import Fleet
from flightline.serving.switch.node import Lost
from flightline.serving.switch.walk import Walk


def collected(walk: Walk) -> dict[str, str]:
    """Return what engines and gateways say by file name; of a lost node, that it is lost."""
    fleet, found = walk.fleet, {}
    for key in walk.plan.services:
        service = fleet.targets.service(key)
        command = engines.journal(service, walk.new(key))
        found[f"{service.node}-{service.name}.journal"] = _said(fleet, service.node, command)
    for gateway in fleet.targets.gateways:
        command = gateways.read(fleet.targets.model)
        found[f"{gateway.node}.gateway"] = _said(fleet, gateway.node, command)
    return found


def _said(fleet: Fleet, node: str, command: str) -> str:
    try:
        return fleet.attempt(node, command)
    except Lost as error:
        return f"{error}\n"
