"""What was measured between nodes, as evidence of each of them; pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from flightline.acceptance.pairs import Measured, Pair
from flightline.audit.answers import Answer


def answer(label: str, node: str, nodes: Sequence[str], measured: Sequence[Measured]) -> Answer:
    """Return a node's evidence: its own name, the nodes that took part, all measurements.

    `label` is the kind's: the command under which a check finds it; no node runs it.
    """
    found = {"node": node, "nodes": list(nodes), "measured": [asdict(each) for each in measured]}
    return Answer(label, 0, json.dumps(found).encode())


def read(text: str) -> tuple[str, tuple[str, ...], tuple[Measured, ...]]:
    """Return the node's own name, the nodes that took part, and all measurements.

    Raises ValueError for anything that `answer` did not write.
    """
    try:
        found = json.loads(text)
        measured = tuple(
            Measured(**{**each, "pair": Pair(**each["pair"])}) for each in found["measured"]
        )
        return str(found["node"]), tuple(map(str, found["nodes"])), measured
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a measurement between nodes ({error!r})") from None
