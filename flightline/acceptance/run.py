"""Runs a measurement between nodes: rounds of pairs, both ends at once; keeps what was found.

What was measured becomes an answer of every node (evidence.py), so that it can be judged again
from a recording.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gevent

from flightline import catalog
from flightline.acceptance import perftest
from flightline.acceptance.evidence import answer
from flightline.acceptance.pairs import Measured, Pair, first_pass, second_pass
from flightline.audit.answers import Answer
from flightline.errors import FlightlineError
from flightline.gpu.rdma import SCRIPT, RdmaPort, parse_rdma
from flightline.transport import run_as_root

RUN_SECONDS = 300
"""How long one end of one measurement may take in all, waiting included."""

Ports = Callable[[Any, Any], Sequence[RdmaPort]]
"""Returns the ports to be measured, from an RdmaReport and the role's settings."""


@dataclass(frozen=True)
class End:
    """One node that takes part: how it is reached, and its ports by device."""

    host: Any
    ports: Mapping[str, RdmaPort]

    def address(self, rail: str) -> str:
        """Return where the other end reaches this one: the port's own address if it has one."""
        own = [gid.ipv4 for gid in self.ports[rail].gids if gid.ipv4]
        return own[0] if own else str(self.host.data.get("ssh_hostname") or self.host.name)


def between(hosts: Sequence[Any], settings: Mapping[str, Any], ports: Ports) -> dict[str, Answer]:
    """Measure every node against another, the suspects again, and return each node's answer.

    `settings` are the role's, by node. A node that cannot be asked or has no port takes no part.
    """
    ends = {host.name: end for host in hosts if (end := _end(host, settings[host.name], ports))}
    measured = _rounds(ends, first_pass(list(ends)))
    measured += _rounds(ends, second_pass(measured))
    return {host.name: answer(host.name, list(ends), measured) for host in hosts}


def _end(host: Any, settings: Any, ports: Ports) -> End | None:
    try:
        report = parse_rdma(run_as_root(host, SCRIPT, timeout_seconds=RUN_SECONDS).stdout)
    except (OSError, EOFError, ValueError, FlightlineError):
        return None  # the node's own checks say what is wrong with it
    active = [port for port in ports(report, settings) if port.state == "ACTIVE"]
    found = {port.device: port for port in reversed(active)}
    return End(host, found) if found else None


def _rounds(ends: Mapping[str, End], rounds: Sequence[Sequence[Pair]]) -> list[Measured]:
    measured: list[Measured] = []
    for pairs in rounds:
        running = [gevent.spawn(_rails, pair, ends) for pair in pairs]
        gevent.joinall(running, raise_error=True)
        measured += [each for done in running for each in done.value]
    return measured


def _rails(pair: Pair, ends: Mapping[str, End]) -> list[Measured]:
    """Measure port by port: rails that share a bridge would measure each other."""
    server, client = ends[pair.server], ends[pair.client]
    names = sorted(set(server.ports) | set(client.ports))
    return [_rail(pair, name, server, client) for name in names]


def _rail(pair: Pair, rail: str, server: End, client: End) -> Measured:
    lacking = [end.host.name for end in (server, client) if rail not in end.ports]
    if lacking:
        return Measured(pair, rail, None, 0.0, f"{lacking[0]} has no active port on {rail}")
    waiting = gevent.spawn(_output, server.host, perftest.server(rail))
    printed, problem = _output(client.host, perftest.client(rail, server.address(rail)))
    waiting.join()
    found = perftest.average_gbps(printed)
    if found is None:
        problem = problem or waiting.value[1] or "ib_write_bw printed no result"
    return Measured(pair, rail, found, _floor(server.ports[rail], client.ports[rail]), problem)


def _floor(*ports: RdmaPort) -> float:
    """Return the least that the slower port is good for, Gb/s; 0 where nothing is published."""
    rate = min(port.rate_gbps or 0.0 for port in ports)
    figure = catalog.rdma_floor(rate) if rate > perftest.SOFTWARE_RATE else None
    return figure.value if figure else 0.0


def _output(host: Any, command: str) -> tuple[str, str]:
    """Return what the command printed, and why it failed."""
    try:
        done = run_as_root(host, f"{perftest.GUARD}{command}", timeout_seconds=RUN_SECONDS)
    except (OSError, EOFError, FlightlineError) as error:
        return "", f"{host.name}: {error or 'no answer in time'}"
    said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
    return done.stdout, f"{host.name}: {said}" if done.rc else ""
