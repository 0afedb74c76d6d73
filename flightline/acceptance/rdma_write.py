"""Measures ib_write_bw between two nodes, port by port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gevent

from flightline import catalog
from flightline.acceptance import perftest
from flightline.acceptance.ends import End
from flightline.acceptance.kinds import RdmaWrite
from flightline.acceptance.pairs import Measured, Pair
from flightline.errors import FlightlineError
from flightline.gpu.rdma import SCRIPT, RdmaPort, parse_rdma
from flightline.transport import run_as_root

ASK_SECONDS = 60


def end(kind: RdmaWrite, host: Any, settings: Any) -> End | None:
    """Return the node with its compute ports; None without any, or when it cannot be asked.

    One that is down is measured too, and fails: a dead port must not pass for none.
    """
    try:
        report = parse_rdma(run_as_root(host, SCRIPT, timeout_seconds=ASK_SECONDS).stdout)
    except (OSError, EOFError, ValueError, FlightlineError):
        return None  # the node's own checks say what is wrong with it
    ports = {port.device: port for port in reversed(kind.ports(report, settings))}
    return End(host, settings, ports) if ports else None


def measure(server: End, client: End) -> list[Measured]:
    """Measure one port after the other: rails that share a bridge would measure each other."""
    return [_rail(rail, server, client) for rail in sorted({*server.ports, *client.ports})]


def _rail(rail: str, server: End, client: End) -> Measured:
    pair = Pair(server.name, client.name)
    lacking = [each.name for each in (server, client) if not _is_active(each, rail)]
    if lacking:
        why = f"{lacking[0]} has no active port on {rail}"
        return Measured(pair, rail, None, 0.0, why, culprit=lacking[0])
    waiting = gevent.spawn(server.output, perftest.server(rail))
    printed, problem = client.output(perftest.client(rail, server.address(rail)))
    waiting.join()
    found = perftest.average_gbps(printed)
    if found is None:
        problem = problem or waiting.value[1] or "ib_write_bw printed no result"
    floor = _floor((server.ports[rail], client.ports[rail]))
    return Measured(pair, rail, found, floor, "" if found is not None else problem)


def _is_active(node: End, rail: str) -> bool:
    return rail in node.ports and node.ports[rail].state == "ACTIVE"


def _floor(ports: Sequence[RdmaPort]) -> float:
    """Return the least that the slower port is good for, Gb/s; 0 where nothing is published."""
    rate = min(port.rate_gbps or 0.0 for port in ports)
    figure = catalog.rdma_floor(rate) if rate > perftest.SOFTWARE_RATE else None
    return figure.value if figure else 0.0
