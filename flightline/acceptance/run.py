"""Runs a measurement between nodes: rounds of disjoint pairs, both ends at once.

What was measured becomes an answer of every node (evidence.py), so that it can be judged again
from a recording.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gevent

from flightline.acceptance import all_reduce, rdma_write
from flightline.acceptance.ends import End
from flightline.acceptance.evidence import answer
from flightline.acceptance.kinds import Between, RdmaWrite
from flightline.acceptance.pairs import Measured, Pair, first_pass, second_pass
from flightline.audit.answers import Answer


def between(hosts: Sequence[Any], settings: Mapping[str, Any], kind: Between) -> dict[str, Answer]:
    """Measure every node with another, the suspects again, and return each node's answer.

    `settings` are the role's, by node. A node that cannot be asked or has nothing to measure takes
    no part.
    """
    began = time.time()
    found = (_end(kind, host, settings[host.name]) for host in hosts)
    ends = {each.name: each for each in found if each is not None}
    measured = _rounds(kind, ends, first_pass(list(ends)))
    measured += _rounds(kind, ends, second_pass(measured))
    took = time.time() - began
    return {
        host.name: replace(
            answer(kind.label, host.name, list(ends), measured), start=began, seconds=took
        )
        for host in hosts
    }


def _end(kind: Between, host: Any, settings: Any) -> End | None:
    if isinstance(kind, RdmaWrite):
        return rdma_write.end(kind, host, settings)
    return all_reduce.end(kind, host, settings)


def _rounds(
    kind: Between, ends: Mapping[str, End], rounds: Sequence[Sequence[Pair]]
) -> list[Measured]:
    measured: list[Measured] = []
    for pairs in rounds:
        running = [
            gevent.spawn(_pair, kind, ends[pair.server], ends[pair.client]) for pair in pairs
        ]
        gevent.joinall(running, raise_error=True)
        measured += [each for done in running for each in done.value]
    return measured


def _pair(kind: Between, server: End, client: End) -> list[Measured]:
    if isinstance(kind, RdmaWrite):
        return rdma_write.measure(server, client)
    return all_reduce.measure(kind, server, client)
