"""Runtime commands of a gateway, and what HAProxy answers.

`show stat` and `show servers state` are described in HAProxy's management guide, sections 9.1 and
9.3 (https://docs.haproxy.org/2.6/management.html, read 2026-11-21), and were looked at on 2.6.12.
"""

from __future__ import annotations

import csv
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flightline.serving import layout

_SERVERS = "# be_id "  # begins the second answer, after a line with its version
_RUNNING = {"1", "2"}  # srv_op_state: 0 stopped, 1 starting, 2 running, 3 stopping


@dataclass(frozen=True)
class Counters:
    """What a gateway counted of one server since the gateway's process began."""

    requests: int = 0
    """Requests sent there, those sent again included (lbtot)."""
    errors: int = 0
    """Answers 5xx, connections that failed or were tried again, answers that broke off."""
    aborts: int = 0
    """Requests that the client gave up."""


@dataclass(frozen=True)
class Server:
    """A slot of a service, as one gateway sees it."""

    is_up: bool
    """Its health check passes, and nobody put it into maintenance or drain by hand."""
    weight: int
    at_work: int
    """Requests that it is answering or that wait for it."""
    counters: Counters = Counters()
    response_ms: int = 0
    """Mean time to the first byte of its last 1024 answers; 0 while there is none."""
    status: str = ""
    """As `show stat` says it: UP, DOWN, MAINT, ..."""

    @property
    def takes_requests(self) -> bool:
        """Whether the gateway sends it new requests."""
        return self.is_up and self.weight > 0


def read(model: str) -> str:
    """Return the command that prints the servers of the model's backend."""
    servers = f"show servers state {layout.backend(model)}"
    return shlex.join([layout.GATEWAY_CTL, "show stat", servers])


def set_weights(model: str, weights: Sequence[tuple[str, int]]) -> str:
    """Return the command that gives servers their weights, in this order."""
    backend = layout.backend(model)
    changes = [f"set server {backend}/{server} weight {weight}" for server, weight in weights]
    return shlex.join([layout.GATEWAY_CTL, *changes])


def parse(output: str, model: str) -> dict[str, Server]:
    """Return the servers of the model's backend by name; {} when the gateway has no such backend.

    Raises ValueError or KeyError for an answer of another kind.
    """
    stat, mark, state = output.partition(_SERVERS)
    if not mark or not stat.startswith("# pxname,"):
        raise ValueError("its answer is cut short")
    names, *lines = state.splitlines()
    columns = ["be_id", *names.split()]
    states = [dict(zip(columns, line.split(), strict=False)) for line in lines if line.strip()]
    rows = [row for row in csv.DictReader(stat.splitlines()) if row.get("svname")]
    return {
        each["srv_name"]: _server(each, _of(rows, model, each["srv_name"]))
        for each in states
        if each["be_name"] == layout.backend(model)
    }


def _of(rows: Iterable[Mapping[str, str]], model: str, name: str) -> list[Mapping[str, str]]:
    """Return the counters of a server; the gateway has one for HTTP, then maybe one for gRPC."""
    wanted = (layout.backend(model), f"grpc.{model}")
    found = [row for row in rows if row["# pxname"] in wanted and row["svname"] == name]
    if not found:
        raise ValueError(f"it counts nothing of {name}")
    return sorted(found, key=lambda row: wanted.index(row["# pxname"]))


def _server(state: Mapping[str, str], rows: Sequence[Mapping[str, str]]) -> Server:
    # srv_admin_state is a set of bits, 0 when nobody and no configuration holds the server back
    is_free = state["srv_admin_state"] == "0"
    counters = Counters()
    for row in rows:
        counters = added(counters, _counters(row))
    return Server(
        is_up=is_free and state["srv_op_state"] in _RUNNING,
        weight=int(state["srv_uweight"]),
        at_work=sum(_count(row, "scur") + _count(row, "qcur") for row in rows),
        counters=counters,
        response_ms=_count(rows[0], "rtime"),
        status=rows[0]["status"],
    )


def _counters(row: Mapping[str, str]) -> Counters:
    broken = max(_count(row, "eresp"), _count(row, "srv_abrt"))  # one broken answer counts in both
    errors = _count(row, "hrsp_5xx") + _count(row, "econ") + _count(row, "wretr") + broken
    return Counters(_count(row, "lbtot"), errors, _count(row, "cli_abrt"))


def _count(row: Mapping[str, str], name: str) -> int:
    return int(row.get(name) or 0)


def since(before: Counters, now: Counters) -> Counters:
    """Return what was counted between two readings.

    A counter that shrank began anew at 0, because the gateway was reloaded in between.
    """
    if now.requests < before.requests or now.errors < before.errors or now.aborts < before.aborts:
        return now
    return Counters(
        now.requests - before.requests, now.errors - before.errors, now.aborts - before.aborts
    )


def added(one: Counters, two: Counters) -> Counters:
    """Return what two gateways, or two spans of time, counted together."""
    return Counters(one.requests + two.requests, one.errors + two.errors, one.aborts + two.aborts)
