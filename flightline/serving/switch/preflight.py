"""What must hold before a switch changes anything; whatever does not is a Refused, a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flightline.errors import FlightlineError
from flightline.serving import layout
from flightline.serving.layout import LETTERS, WEIGHT_FULL, other
from flightline.serving.state import ServiceState, Switching
from flightline.serving.switch import engines, entrance
from flightline.serving.switch.engines import Look
from flightline.serving.switch.fleet import Fleet, read_state
from flightline.serving.switch.gateways import Server
from flightline.serving.switch.node import Failed, Lost, Refused
from flightline.serving.switch.targets import Gateway, Service

VERIFY_SECONDS = 3600.0
"""Hashing 700 GB at 0.3 GB/s takes 40 minutes."""


def states(fleet: Fleet) -> dict[str, ServiceState]:
    """Return what every service of the model serves, by key; raises Refused or Lost."""
    return {each.key: fleet.state(each) for each in fleet.targets.services}


def reached_states(fleet: Fleet) -> tuple[dict[str, ServiceState], list[Lost]]:
    """Return what the services serve whose nodes answer, and why the others cannot say."""
    found: dict[str, ServiceState] = {}
    lost: list[Lost] = []
    for each in fleet.targets.services:
        try:
            found[each.key] = fleet.state(each)
        except Lost as error:
            lost.append(error)
    return found, lost


def refuse_under_way(found: Mapping[str, ServiceState], command: str) -> None:
    """Raise Refused where a switch was begun and has not ended."""
    for key, state in found.items():
        if (under_way := state.switching) is not None:
            raise Refused(
                f"{key}: a switch to {under_way.to} is under way since {under_way.began}, at "
                f"{under_way.step}; go on with `{command} --resume`, or `{command} --undo`."
            )


def looked(fleet: Fleet, services: Sequence[Service], version: str) -> dict[str, Look]:
    """Look at each service's node; raises Refused unless the new version can start there."""
    found = {}
    for each in services:
        output = fleet.attempt(each.node, engines.look(each, fleet.targets.store, version))
        seen = engines.parse_look(output)
        state = _fit(fleet, each, seen, version)
        runs = state.standby is not None and seen.units[other(state.active)] == "active"
        is_new = state.standby == version
        found[each.key] = replace(seen, is_up=runs and is_new, has_standby=runs and not is_new)
    return found


def _fit(fleet: Fleet, service: Service, look: Look, version: str) -> ServiceState:
    """Return the service's state; raises Refused unless the version can start there."""
    folder = layout.version_folder(fleet.targets.store, fleet.targets.model, version)
    state = read_state(service, look.state, engines.state_path(service.name))
    if look.units[state.active] != "active":
        raise Refused(
            f"{service.node}: {service.unit(state.active)} is {look.units[state.active]}, expected "
            "active: nothing serves there that could go on; mend it, or apply, then switch."
        )
    if not look.has_version:
        raise Refused(f"{service.node}: {folder} has no manifest; run `flightline apply` first.")
    if service.image and not look.has_image:
        raise Refused(
            f"{service.node}: the image {service.image} is not there; run `flightline apply` first."
        )
    return state


def verify(fleet: Fleet, services: Sequence[Service], version: str) -> None:
    """Raise Refused unless each file of the version is as its manifest says, on every node."""
    targets = fleet.targets
    for node in dict.fromkeys(each.node for each in services):
        command = engines.verify(targets.store, targets.model, version)
        what = f"verify {targets.model} {version}"
        try:
            fleet.ask(node, what, command, timeout_seconds=VERIFY_SECONDS)
        except Failed as error:
            raise Refused(f"{error}; fetch it anew: `flightline apply`.") from None


def refuse_odd_gateways(fleet: Fleet, found: Mapping[str, ServiceState]) -> None:
    """Raise Refused unless each gateway sends each service's requests to its active slot."""
    for gateway in fleet.targets.gateways:
        try:
            seen = fleet.servers(gateway)
        except (Failed, Lost) as error:
            raise Refused(f"{error}; nothing was changed.") from None
        for key in gateway.services:
            _refuse_odd(fleet, gateway, fleet.targets.service(key), found[key], seen)


def _refuse_odd(
    fleet: Fleet,
    gateway: Gateway,
    service: Service,
    state: ServiceState,
    seen: Mapping[str, Server],
) -> None:
    for letter in LETTERS:
        name = service.server(letter)
        wanted = WEIGHT_FULL if letter == state.active else 0
        if name not in seen:
            raise Refused(f"{gateway.node}: the gateway does not know {name}; apply it first.")
        if seen[name].weight != wanted:
            server = f"{layout.backend(fleet.targets.model)}/{name}"
            raise Refused(
                f"{gateway.node}: the gateway gives {name} the weight {seen[name].weight}, "
                f"expected {wanted}; run there: {layout.GATEWAY_CTL} "
                f"'set server {server} weight {wanted}'."
            )
    if not seen[active := service.server(state.active)].is_up:
        raise Refused(
            f"{gateway.node}: the gateway sees {active} {seen[active].status}, expected UP; mend "
            "that first."
        )


def refuse_lost(fleet: Fleet) -> None:
    """Raise Refused unless every gateway answers."""
    for gateway in fleet.targets.gateways:
        try:
            fleet.servers(gateway)
        except (Failed, Lost) as error:
            raise Refused(f"{error}; nothing was changed.") from None


def refuse_key(fleet: Fleet, key: str) -> None:
    """Raise Refused unless each gateway takes the key; without one, nothing is asked."""
    for gateway in fleet.targets.gateways if key else ():
        asked = entrance.models(gateway, key)
        status = entrance.status(fleet.attempt(gateway.node, entrance.command(10), asked))
        if status != "200":
            raise Refused(
                f"{gateway.node}: {gateway.url}/v1/models answers {status or 'nothing'} to the key "
                "of --key-file, expected 200; nothing was changed."
            )


def standbys(found: Mapping[str, ServiceState], model: str) -> str:
    """Return the version that is standby everywhere; raises Refused unless there is one."""
    versions = {state.standby for state in found.values()}
    if len(versions) == 1 and (version := next(iter(versions))) is not None:
        return version
    shown = ", ".join(f"{key}: {state.standby or 'none'}" for key, state in found.items())
    raise Refused(
        f"{model} has no standby to go back to at once ({shown}); switch to the version you want "
        "with --to."
    )


def refuse_busy_standby(fleet: Fleet, service: Service, state: ServiceState) -> None:
    """Raise Refused while a standby takes requests or has some at work."""
    standby = other(state.active)
    name = service.server(standby)
    for gateway in fleet.targets.gateways_of(service.key):
        seen = fleet.servers(gateway).get(name)
        if seen is not None and seen.weight:
            raise Refused(
                f"{gateway.node}: the gateway gives the standby {name} the weight {seen.weight}, "
                "expected 0; nothing was stopped."
            )
    if left := fleet.at_work(service, standby):
        raise Refused(f"{service.key}: its standby still has {left} requests at work; try later.")


def under_way(found: Mapping[str, ServiceState], command: str) -> Switching:
    """Return the switch that is under way; raises FlightlineError without one."""
    busy = [state.switching for state in found.values() if state.switching is not None]
    if not busy:
        raise FlightlineError(f"no switch is under way; begin one with `{command} --to VERSION`.")
    aims = {(each.to, each.mode) for each in busy}
    if len(aims) > 1:
        shown = " and ".join(sorted(f"{to} ({mode})" for to, mode in aims))
        raise FlightlineError(
            f"switches to {shown} are under way at once; run it with the inventory "
            "that each was begun with."
        )
    return busy[0]


def own(found: Mapping[str, ServiceState], switch: Switching) -> dict[str, ServiceState]:
    """Return the states of a switch's own services, as far as it remembers which they are."""
    return {key: found[key] for key in switch.services or found if key in found}
