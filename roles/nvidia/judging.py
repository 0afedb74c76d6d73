"""Judges one reading of every GPU and names those that are wrong: the form of most checks here.

A GPU whose reading is not there is not applicable where the catalog or the driver proves that it
cannot have it; else it is unreadable, and the check is unknown unless another GPU is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from testinfra.host import Host

from flightline.audit.check import not_applicable, unknown
from flightline.catalog.model import Gpu
from flightline.gpu.reading import Reading, State
from flightline.gpu.smi import SmiGpu
from roles.nvidia.boards import STRANGER, Board, boards

T = TypeVar("T")
Said = tuple[Board, str]
Read = Callable[[SmiGpu], Reading[T]]
Wrong = Callable[[Board, T], str]
Lacks = Callable[[Board], str]
"""Why a GPU cannot have something, in the words that follow its name; "" where it can."""


def never(_board: Board) -> str:
    """Every GPU has it."""
    return ""


def maybe(_board: Board) -> str:
    """Any GPU may be without, and says so: boards differ within a model."""
    return "says so"


def by_model(lacks: Callable[[Gpu], bool]) -> Lacks:
    """Models of the catalog may be without; one that it does not know is not excused."""

    def proof(board: Board) -> str:
        model = board.model
        return f"is a {model.name} (catalog)" if model is not None and lacks(model) else ""

    return proof


@dataclass(frozen=True)
class Found:
    """What was found on all GPUs: each time a GPU, and what there is to say of it."""

    bad: tuple[Said, ...] = ()
    blind: tuple[Said, ...] = ()
    """Not readable: nothing is known."""
    absent: tuple[Said, ...] = ()
    """Proved not to have it."""
    is_judged: bool = False
    """Whether at least one GPU could be judged."""


def expect(host: Host, read: Read[T], wrong: Wrong[T], **proofs: Any) -> None:
    """Judge one reading of every GPU; `proofs` as `examine` takes them."""
    conclude(examine(host, read, wrong, **proofs))


def examine(
    host: Host,
    read: Read[T],
    wrong: Wrong[T],
    *,
    lacks: Lacks = never,
    since: int = 0,
    needs_model: bool = False,
) -> Found:
    """Return what the reading is on every GPU; `wrong` says what is wrong with a value, or "".

    `lacks` tells the models that cannot have it, `since` the driver branch that first reports it;
    `needs_model` makes a GPU that the catalog does not know unreadable.
    """
    bad, blind, absent, judged = list[Said](), list[Said](), list[Said](), 0
    for board in boards(host):
        reading = read(board.smi)
        if needs_model and board.model is None:
            blind.append((board, STRANGER))
        elif reading.is_there and reading.value is not None:
            judged += 1
            bad += [(board, said)] if (said := wrong(board, reading.value)) else []
        elif proof := _proof(board, reading, lacks, since):
            absent.append((board, proof))
        else:
            blind.append((board, _why(reading)))
    return Found(tuple(bad), tuple(blind), tuple(absent), judged > 0)


def conclude(*found: Found) -> None:
    """Fail with all that is bad, else end as unknown, else as not applicable, else pass."""
    bad = _sentences(each for part in found for each in part.bad)
    assert not bad, bad
    if blind := _sentences(each for part in found for each in part.blind):
        unknown(blind)
    if not any(part.is_judged for part in found):
        not_applicable(_sentences(each for part in found for each in part.absent))


def _sentences(said: Iterable[Said]) -> str:
    """One sentence for all GPUs of which there is the same to say."""
    whom: dict[str, list[Board]] = {}
    for board, text in said:
        whom.setdefault(text, []).append(board)
    return "; ".join(_sentence(who, text) for text, who in whom.items())


def _sentence(who: list[Board], text: str) -> str:
    if len(who) == 1:
        return f"{who[0]} {text}"
    everyone = len(who) == who[0].among
    names = f"all {len(who)} GPUs" if everyone else ", ".join(map(str, who))
    return f"{names}: each {text}"


def alike(host: Host, read: Read[str], what: str, **proofs: Any) -> Found:
    """Return which GPUs differ from most others in this reading; `proofs` as for `examine`."""
    there = [read(board.smi).value for board in boards(host) if read(board.smi).is_there]
    most, count = Counter(there).most_common(1)[0] if there else ("", 0)

    def wrong(_board: Board, found: str) -> str:
        same = f"expected {most} as {count} of {len(there)} GPUs here have"
        return "" if found == most else f"has {what} {found}, {same}"

    return examine(host, read, wrong, **proofs)


def value(reading: Reading[T], what: str) -> T:
    """Return the value of a reading that is needed; ends the check as unknown without it."""
    if reading.value is None or not reading.is_there:
        unknown(f"nvidia-smi does not say {what}: it {_why(reading)}")
    return reading.value


def _proof(board: Board, reading: Reading[T], lacks: Lacks, since: int) -> str:
    """Why this GPU cannot have the value; empty when nothing proves that."""
    if reading.state is State.TROUBLE:
        return ""
    if reading.is_unsupported and board.is_share:
        return f"is a share of a GPU (vGPU), whose host has its {reading.name}"
    if 0 < board.branch < since:
        return f"has driver {board.branch}, and {reading.name} is reported from {since} on"
    if lacks is maybe and not reading.is_unsupported:
        return ""
    proof = lacks(board)
    return f"{proof}: it has no {reading.name}" if proof else ""


def _why(reading: Reading[T]) -> str:
    if reading.state is State.MISSING:
        return f"does not report {reading.name}"
    return f"reports {reading.raw!r} for {reading.name}"
