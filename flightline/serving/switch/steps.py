"""The steps of a switch and of its undoing, and what each leaves in a service's state; pure.

Each step may be repeated without harm, and is recorded on the nodes before it begins: whoever comes
later repeats the one recorded last and goes on. Undoing begins at its own beginning, every time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from flightline.errors import FlightlineError
from flightline.serving.layout import WEIGHT_FULL, Letter, other
from flightline.serving.state import ServiceState, Switching


class Mode(StrEnum):
    """How old and new take turns."""

    SIDE_BY_SIDE = "side-by-side"
    NODE_BY_NODE = "node-by-node"
    DOWNTIME = "downtime"
    ROLLBACK = "rollback"
    """Back to the standby that still runs: at once."""

    @property
    def is_exclusive(self) -> bool:
        """Whether a service's old engine stops before its new one starts."""
        return self in {Mode.NODE_BY_NODE, Mode.DOWNTIME}


class Kind(StrEnum):
    """What a step does, to each of its services."""

    BEGIN = "begin"
    EMPTY = "empty"
    """No gateway sends the service anything; what runs may end. Exclusive modes only."""
    STOP = "stop"
    """The old engine stops. Exclusive modes only."""
    PREPARE = "prepare"
    """The free slot holds the new version's files."""
    START = "start"
    """The new engine is ready."""
    GOLDEN = "golden"
    """It gives the expected answers."""
    CANARY = "canary"
    """It takes the step's weight of the requests, and is watched."""
    DRAIN = "drain"
    """The old one has ended its last request."""
    FLIP = "flip"
    """The new one is what the service serves."""
    FINISH = "finish"
    """The old one is a standby, or gone; nothing is under way any more."""


UNDO = "undo"
"""The step recorded while a switch is undone, from whichever step it had reached."""


@dataclass(frozen=True)
class Step:
    """One step, for the services that it concerns."""

    kind: Kind
    services: tuple[str, ...]
    """Keys of the services, as targets.Service.key."""
    weight: int = 0
    """Weight of the new slot once the step is done."""
    is_gated: bool = False
    """Whether the weight is held and judged."""

    @property
    def name(self) -> str:
        """The step as the state records it: canary-10."""
        return f"{self.kind}-{self.weight}" if self.kind is Kind.CANARY else str(self.kind)


def forward(mode: Mode, services: Sequence[str], canary: Sequence[int]) -> tuple[Step, ...]:
    """Return the steps that make the services serve the new version."""
    everywhere = tuple(services)
    if mode.is_exclusive:
        middle = tuple(
            step
            for number, each in enumerate(everywhere)
            for step in _alone(each, canary if number == 0 else (WEIGHT_FULL,))
        )
    else:
        middle = tuple(_beside(mode, everywhere, canary))
    return (
        Step(Kind.BEGIN, everywhere),
        *middle,
        Step(Kind.FINISH, everywhere, WEIGHT_FULL),
    )


def _beside(mode: Mode, services: tuple[str, ...], canary: Sequence[int]) -> Iterator[Step]:
    if mode is Mode.ROLLBACK:
        yield Step(Kind.START, services)
        yield Step(Kind.CANARY, services, WEIGHT_FULL)
        yield Step(Kind.FLIP, services, WEIGHT_FULL)  # both go on running: nothing has to drain
    else:
        yield Step(Kind.PREPARE, services)
        yield Step(Kind.START, services)
        yield Step(Kind.GOLDEN, services)
        yield from (Step(Kind.CANARY, services, each, is_gated=True) for each in canary)
        yield Step(Kind.DRAIN, services, WEIGHT_FULL)
        yield Step(Kind.FLIP, services, WEIGHT_FULL)


def _alone(service: str, canary: Sequence[int]) -> Iterator[Step]:
    for kind in (Kind.EMPTY, Kind.STOP, Kind.PREPARE, Kind.START, Kind.GOLDEN):
        yield Step(kind, (service,))
    yield from (Step(Kind.CANARY, (service,), each, is_gated=True) for each in canary)
    yield Step(Kind.FLIP, (service,), WEIGHT_FULL)


def refuse_canary(canary: Sequence[int]) -> None:
    """Raise FlightlineError unless the percents rise from at least 1 to 100."""
    rises = all(before < after for before, after in pairwise(canary))
    if not canary or not rises or canary[0] < 1 or canary[-1] != WEIGHT_FULL:
        shown = ",".join(map(str, canary)) or "empty"
        raise FlightlineError(
            f"--canary is {shown}, expected percents that rise and end at {WEIGHT_FULL}, such as "
            "10,50,100."
        )


def remaining(steps: Sequence[Step], recorded: Mapping[str, str]) -> tuple[Step, ...]:
    """Return the steps from the one that was begun last.

    `recorded`: the step in the state of each service that is being switched. A step is recorded on
    all of its services before it begins, and only when the one before is done on all of them: the
    furthest recorded step is the one to repeat.
    """
    begun = [
        index
        for index, step in enumerate(steps)
        if any(recorded.get(each) == step.name for each in step.services)
    ]
    return tuple(steps[max(begun, default=0) :])


def begun(state: ServiceState, switching: Switching) -> ServiceState:
    """Return the state of a service whose switch is announced."""
    return state.model_copy(update={"switching": switching})


def at(state: ServiceState, name: str, weight: int) -> ServiceState:
    """Return the state with the step recorded; as it is where nothing is under way."""
    if state.switching is None:
        return state
    now = state.switching.model_copy(update={"step": name, "weight": weight})
    return state.model_copy(update={"switching": now})


def new_letter(state: ServiceState, to: str) -> Letter:
    """Return the slot that is, or will be, the new version's."""
    return state.active if state.serving == to else other(state.active)


def placed(state: ServiceState, to: str) -> ServiceState:
    """Return the state with the new version in its slot."""
    return state.model_copy(update={new_letter(state, to): to})


def flipped(state: ServiceState, to: str) -> ServiceState:
    """Return the state of a service that serves the new version."""
    return state.model_copy(update={"active": new_letter(state, to)})


def finished(state: ServiceState, *, keep_standby: bool) -> ServiceState:
    """Return the state with nothing under way; the other slot is empty unless it stays ready."""
    update: dict[str, object] = {"switching": None}
    if not keep_standby:
        update[other(state.active)] = None
    return state.model_copy(update=update)


def undone(state: ServiceState, to: str, *, keep_new: bool) -> ServiceState:
    """Return the state of a service that serves what it served before; it stays announced."""
    letter = new_letter(state, to)
    update: dict[str, object] = {"active": other(letter)}
    if not keep_new and state.version(letter) == to:
        update[letter] = None  # a standby that was there before is left alone
    return state.model_copy(update=update)


def retired(state: ServiceState) -> ServiceState:
    """Return the state without its standby."""
    return state.model_copy(update={other(state.active): None})


def may_undo_itself(mode: Mode, reached: Kind) -> bool:
    """Tell whether a failure at this step sends requests back to the old version by itself.

    Not once the new version has passed every gate; and not from a rollback under way, whose old
    version is the one that somebody wanted to be rid of.
    """
    if mode is Mode.ROLLBACK:
        return reached in {Kind.BEGIN, Kind.START}
    if mode.is_exclusive:
        return reached is not Kind.FINISH
    return reached not in {Kind.DRAIN, Kind.FLIP, Kind.FINISH}


def is_undoing(recorded: Mapping[str, str]) -> bool:
    """Tell whether an undoing was begun."""
    return UNDO in recorded.values()
