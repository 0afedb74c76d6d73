"""Pairs of nodes, a second pass, and which node or port is to blame; pure.

Both ends of a slow link are suspects. Each suspect is measured again with a node that was sound:
who is slow again is bad. This takes two rounds, whatever the number of nodes (the way of Google's
cluster-health-scanner nccl_runner.py and OCI's ncclscout.py, read 2026-11-20).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """Two nodes that measure each other."""

    server: str
    client: str


@dataclass(frozen=True)
class Measured:
    """What one pair reached on one rail: port i of one node to port i of the other."""

    pair: Pair
    rail: str
    """Name of the RDMA device on both nodes, such as "mlx5_0", or what else was measured."""
    rate: float | None
    """In the measurement's own unit (Gb/s for ib_write_bw, GB/s for busbw); None: it failed."""
    floor: float
    """Least that counts as sound, same unit; 0 where any transfer will do."""
    problem: str = ""
    """Why there is no figure."""
    culprit: str = ""
    """The node that was in the way before anything ran, such as one whose port is down."""

    @property
    def is_sound(self) -> bool:
        """Whether the pair reached its floor."""
        return self.rate is not None and self.rate >= self.floor


class Blame(enum.Enum):
    """What two passes say of one node's port."""

    SOUND = "sound"
    BAD = "bad"
    OPEN = "cannot be attributed"
    """The link was slow, and no sound node was left to tell which end is at fault."""
    UNMEASURED = "was not measured"


def first_pass(nodes: Sequence[str]) -> tuple[tuple[Pair, ...], ...]:
    """Return rounds of disjoint pairs in which every node is measured at least once.

    With an odd number the last node is paired with the first in a round of its own. Fewer than two
    nodes give none.
    """
    pairs = tuple(Pair(*two) for two in zip(nodes[::2], nodes[1::2], strict=False))
    if not pairs:
        return ()
    if len(nodes) % 2 == 0:
        return (pairs,)
    return (pairs, (Pair(nodes[0], nodes[-1]),))


def second_pass(measured: Iterable[Measured]) -> tuple[tuple[Pair, ...], ...]:
    """Return rounds in which every suspect meets a node that was sound on all rails.

    Empty when nobody is suspect, or nobody is sound.
    """
    measured = tuple(measured)
    suspects = dict.fromkeys(
        name for each in measured if not each.is_sound for name in _ends(each.pair)
    )
    sound = [name for name in _nodes(measured) if name not in suspects]
    if not (suspects and sound):
        return ()
    names = list(suspects)
    return tuple(
        tuple(
            Pair(partner, suspect)
            for partner, suspect in zip(sound, names[at : at + len(sound)], strict=False)
        )
        for at in range(0, len(names), len(sound))
    )


def blame(node: str, rail: str, measured: Iterable[Measured]) -> Blame:
    """Return what all measurements say of this port of this node."""
    there = tuple(each for each in measured if each.rail == rail)
    mine = [each for each in there if node in _ends(each.pair)]
    if any(each.culprit == node for each in mine):
        return Blame.BAD
    mine = [each for each in mine if not each.culprit]
    if not mine:
        return Blame.UNMEASURED
    if any(each.is_sound for each in mine):
        # slow once and sound with another: the other end was at fault
        return Blame.SOUND
    proven = {name for each in there if each.is_sound for name in _ends(each.pair)}
    partners = {name for each in mine for name in _ends(each.pair)} - {node}
    return Blame.BAD if partners & proven else Blame.OPEN


def _ends(pair: Pair) -> tuple[str, str]:
    return pair.server, pair.client


def _nodes(measured: Iterable[Measured]) -> list[str]:
    return list(dict.fromkeys(name for each in measured for name in _ends(each.pair)))
