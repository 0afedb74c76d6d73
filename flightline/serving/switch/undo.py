"""Undoes a switch from whichever step it had reached: what served before serves again.

It begins at its own beginning each time, so that an undoing that was interrupted is simply undone
again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from flightline.serving.layout import WEIGHT_FULL, Letter, other
from flightline.serving.switch import engines, steps
from flightline.serving.switch.node import Failed, Lost
from flightline.serving.switch.steps import Mode
from flightline.serving.switch.targets import Service
from flightline.serving.switch.walk import Walk, refuse_to_empty, takes_requests


def undo(walk: Walk, keep: Callable[[], None] = lambda: None, lost: Sequence[Lost] = ()) -> None:
    """Give the old version all requests, then free the new one's slot.

    Weights go first, on every gateway that answers; then `keep` is called, before any engine ends.
    While one gateway may still send requests to the new engine, that engine goes on.

    Services whose node is lost are left out; `lost` says which could not be asked for their states.
    The others serve as before, and remember until all have gone back that they are being undone:
    so nobody goes on with the switch. Raises Failed or Lost; to be repeated then.
    """
    under_way = [
        walk.fleet.targets.service(key)
        for key in reversed(walk.plan.services)
        if walk.states[key].switching is not None
    ]
    troubles = [error for each in under_way for error in _weights_back(walk, each)]
    keep()
    if troubles:
        raise troubles[0]
    left_out = [*lost, *_each(under_way, partial(_announce, walk))]
    gone = {error.node for error in left_out}
    reached = [each for each in under_way if each.node not in gone]
    left_out += _each(reached, partial(_restore, walk))
    if left_out:
        why = ", ".join(dict.fromkeys(map(str, left_out)))
        raise Failed(
            f"{why}: its engines were left out, all others serve as before; bring it back or take "
            "it out of the inventory, and undo again"
        )
    for each in reached:
        walk.save(each.key, steps.finished(walk.states[each.key], keep_standby=True))


def _each(services: Sequence[Service], do: Callable[[Service], None]) -> list[Lost]:
    """Do it for each service; return what was lost of the services' own nodes."""
    lost = []
    for each in services:
        try:
            do(each)
        except Lost as error:
            if error.node != each.node:
                raise
            lost.append(error)
    return lost


def _announce(walk: Walk, service: Service) -> None:
    state = walk.states[service.key]
    weight = state.switching.weight if state.switching else 0
    walk.save(service.key, steps.at(state, steps.UNDO, weight))


def _weights_back(walk: Walk, service: Service) -> list[Failed | Lost]:
    """Send requests to the old engine, where it runs, at each gateway that sees it up."""
    fleet, old = walk.fleet, other(walk.new(service.key))
    troubles: list[Failed | Lost] = []
    if not _may_serve(walk, service, old):
        return troubles
    for gateway in fleet.targets.gateways_of(service.key):
        try:
            seen = fleet.servers(gateway).get(service.server(old))
            if seen is not None and seen.is_up:
                fleet.weigh_at(gateway, service, ((old, WEIGHT_FULL), (other(old), 0)))
        except (Failed, Lost) as error:
            troubles.append(error)
    return troubles


def _may_serve(walk: Walk, service: Service, old: Letter) -> bool:
    """Tell whether the old engine runs; only its node knows, a gateway learns it later."""
    try:
        return walk.fleet.answers(service, old)
    except Lost:  # side by side nobody has stopped it: then the gateways' word is good enough
        return not walk.plan.mode.is_exclusive


def _restore(walk: Walk, service: Service) -> None:
    fleet, new = walk.fleet, walk.new(service.key)
    if walk.plan.mode.is_exclusive and not fleet.answers(service, other(new)):
        _empty(walk, service)
        fleet.stop(service, new)
    fleet.start(service, other(new), walk.plan.ready_seconds)  # it may run: then this only waits
    fleet.weigh(service, ((other(new), WEIGHT_FULL), (new, 0)))
    _refuse_at_work(walk, service)
    state, to = walk.states[service.key], walk.plan.to
    is_standby = walk.plan.mode is Mode.ROLLBACK
    if not is_standby and state.version(new) == to:
        fleet.stop(service, new)
    before = steps.undone(state, to, keep_new=is_standby)
    targets = fleet.targets
    if before.serving is not None:
        command = engines.link(targets.store, targets.model, before.serving)
        fleet.ask(service.node, "turn the link `current`", command)
    walk.save(service.key, before)


def _empty(walk: Walk, service: Service) -> None:
    """Take the new engine out, since both do not fit, and wait for what it has at work."""
    new = walk.new(service.key)
    if not walk.plan.downtime and takes_requests(walk.fleet, service, new):
        refuse_to_empty(walk.fleet, service)
    walk.fleet.weigh(service, ((new, 0), (other(new), 0)))
    _refuse_at_work(walk, service)


def _refuse_at_work(walk: Walk, service: Service) -> None:
    new = walk.new(service.key)
    left = walk.fleet.wait_idle(service, new, walk.plan.drain_seconds)
    if left:
        raise Failed(
            f"{service.key}: the new engine still has {left} requests at work after "
            f"{walk.plan.drain_seconds:g} s; nothing was cut, it ends when they have"
        )
