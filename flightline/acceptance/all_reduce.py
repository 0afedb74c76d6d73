"""Measures all_reduce over all GPUs of two nodes."""

from __future__ import annotations

from typing import Any

import gevent

from flightline import catalog
from flightline.acceptance import collective
from flightline.acceptance.ends import End
from flightline.acceptance.kinds import AllReduce
from flightline.acceptance.pairs import Measured, Pair
from flightline.errors import FlightlineError
from flightline.facts.bus import bus_of
from flightline.plan.found import model


def end(_kind: AllReduce, host: Any, settings: Any) -> End | None:
    """Return the node with its GPUs; None without any, or when it cannot be asked."""
    try:
        devices = bus_of(host)
    except FlightlineError:
        return None
    gpus = sum(device.is_gpu for device in devices)
    found = model(devices)
    return End(host, settings, gpus=gpus, model=found.id if found else "") if gpus else None


def measure(kind: AllReduce, server: End, client: End) -> list[Measured]:
    """Measure over all GPUs of both nodes at once."""
    pair, rail = Pair(server.name, client.name), collective.RAIL
    if (server.gpus, server.model) != (client.gpus, client.model):
        return [Measured(pair, rail, None, 0.0, "the two nodes have different GPUs")]
    running = [
        gevent.spawn(
            each.output,
            collective.rank(number, each.gpus, server.address(), kind.image(each.settings)),
        )
        for number, each in enumerate((server, client))
    ]
    gevent.joinall(running, raise_error=True)
    found = collective.busbw_gbps(running[0].value[0])
    why = running[0].value[1] or running[1].value[1] or "no result was printed"
    figure = catalog.collective_floor(server.model, 2)
    floor = figure.value if figure else 0.0
    return [Measured(pair, rail, found, floor, "" if found is not None else why)]
