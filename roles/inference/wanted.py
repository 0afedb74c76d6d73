"""What a node is to run, from the declaration and its services' states: pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flightline.errors import NodeRefused
from flightline.serving import layout, state
from flightline.serving.layout import LETTERS
from flightline.serving.state import ServiceState
from roles.inference.container import Slot, declaration, place
from roles.inference.facts import Serving
from roles.inference.settings import EngineSettings, InferenceSettings

Addresses = Callable[[str], str | None]
"""A node's `serving_address` in the inventory, by the node's name."""


@dataclass(frozen=True)
class Wanted:
    """What the node is to have."""

    slots: tuple[Slot, ...]
    """Both slots of every service: their files are there whether they run or not."""
    states: Mapping[str, ServiceState]
    """By declared service; a fresh one's too."""
    fresh: frozenset[str]
    """Services that have no state yet."""

    def version(self, slot: Slot) -> str | None:
        """Return the version that a slot is to run; None: it is off."""
        return self.states[slot.engine.name].version(slot.letter)

    @property
    def running(self) -> tuple[Slot, ...]:
        """The slots that are to run: those with a version."""
        return tuple(slot for slot in self.slots if self.version(slot) is not None)


@dataclass(frozen=True)
class Work:
    """What differs between that and what runs."""

    start: tuple[Slot, ...]
    restart: tuple[Slot, ...]
    stop: tuple[str, ...]
    """Names of slots that run, or would at boot, without a version."""
    remove: tuple[str, ...]
    """Services that are declared no more."""


def wanted(
    settings: InferenceSettings,
    serving: Serving,
    first_served: Mapping[str, str],
    node: str,
    addresses: Addresses,
) -> Wanted:
    """Return what the node is to have; raises NodeRefused where that cannot be told."""
    states = {
        engine.name: serving.states.get(engine.name) or _fresh(engine, first_served)
        for engine in settings.engines
    }
    for engine in settings.engines:
        _refuse_odd_state(engine, states[engine.name])
    slots = tuple(
        Slot(settings, engine, letter, place(engine, letter, *_part(engine, node, addresses)))
        for engine in settings.engines
        for letter in LETTERS
    )
    return Wanted(slots, states, frozenset(states) - set(serving.states))


def work(wanted: Wanted, serving: Serving) -> Work:
    """Return what is to be done; all empty when the node runs what is declared."""
    running = {slot.name for slot in wanted.running}
    changed = [slot for slot in wanted.running if is_changed(wanted, slot, serving)]
    return Work(
        start=tuple(
            slot
            for slot in wanted.running
            if slot not in changed
            and not (serving.is_active(slot.name) and slot.name in serving.enabled)
        ),
        restart=tuple(changed),
        stop=tuple(
            slot.name
            for slot in wanted.slots
            if slot.name not in running
            and (serving.is_up(slot.name) or slot.name in serving.enabled)
        ),
        remove=undeclared(wanted, serving),
    )


def is_changed(wanted: Wanted, slot: Slot, serving: Serving) -> bool:
    """Return whether a slot's container runs something else than is declared."""
    found = serving.containers.get(slot.name)
    if found is None or not found.is_running:
        return False
    return (found.declaration, found.version) != (declaration(slot), wanted.version(slot))


def undeclared(wanted: Wanted, serving: Serving) -> tuple[str, ...]:
    """Return the services that the node has and nobody declares."""
    slots = {*serving.containers, *serving.enabled, *_up(serving)}
    found = {*serving.states, *(slot[:-2] for slot in slots if slot[-2:] in ("-a", "-b"))}
    return tuple(sorted(found - set(wanted.states)))


def refuse_harm(settings: InferenceSettings, wanted: Wanted, serving: Serving) -> None:
    """Raise NodeRefused where the work would disturb an engine and nobody allowed it."""
    _refuse_old_docker(settings, serving)
    for name, held in wanted.states.items():
        if held.switching:
            raise NodeRefused(
                f"{name} is being switched to {held.switching.to} (step {held.switching.step}); "
                f"`flightline model switch INVENTORY --model {held.model} --resume` goes on, "
                "`--undo` takes it back."
            )
    if settings.restart_allowed:
        return
    todo = work(wanted, serving)
    for slot in todo.restart:
        raise NodeRefused(
            f"{slot.name} runs with other arguments than declared, and a restart takes it away "
            "until it has loaded (InferenceSettings.restart_allowed is False); set it True when "
            "that may be, and apply to one node after the other (--limit) where others serve on."
        )
    for name in (each for each in todo.stop if serving.is_up(each)):
        raise NodeRefused(
            f"{name} runs although the service's state has no version for it "
            "(InferenceSettings.restart_allowed is False); set it True to have it drained and "
            "stopped."
        )
    for service in (each for each in todo.remove if _runs(each, serving)):
        raise NodeRefused(
            f"{service} runs and is declared no more (InferenceSettings.engines); declare it, or "
            "set InferenceSettings.restart_allowed=True to have it drained and removed."
        )


def _refuse_old_docker(settings: InferenceSettings, serving: Serving) -> None:
    """Docker knows CDI from 25 on (docs.docker.com/engine/release-notes/25.0, read 2026-11-21)."""
    major = serving.docker.partition(".")[0]
    has_gpus = any(engine.gpus for engine in settings.engines)
    if has_gpus and settings.gpu_injection == "cdi" and major.isdigit() and int(major) < 25:
        raise NodeRefused(
            f"Docker {serving.docker} cannot give GPUs by CDI, which Docker 25 and later can; set "
            'InferenceSettings.gpu_injection="runtime", or ContainersSettings.source="docker".'
        )


def _fresh(engine: EngineSettings, first_served: Mapping[str, str]) -> ServiceState:
    version = first_served.get(engine.model)
    if version is None:
        raise NodeRefused(
            f"{engine.name} serves {engine.model}, which ModelsSettings.models does not have on "
            f"this node (it has {', '.join(first_served) or 'none'}); declare it there."
        )
    return state.fresh(engine.model, version)


def _refuse_odd_state(engine: EngineSettings, held: ServiceState) -> None:
    path = f"{layout.STATES}/{engine.name}.json"
    if held.model != engine.model:
        raise NodeRefused(
            f"{engine.name} serves {held.model} ({path}) and is declared with {engine.model}; a "
            "service keeps its model: declare the other one under a name of its own."
        )
    if held.serving is None:
        raise NodeRefused(
            f"{path} says that slot {held.active} serves, and has no version for it; move the file "
            "away to begin anew with the declared version."
        )


def _part(
    engine: EngineSettings, node: str, addresses: Addresses
) -> tuple[int, str | None, str | None]:
    """The node's place in an engine over several, the leader's address and its own."""
    if not engine.nodes:
        return 0, None, None
    if node not in engine.nodes:
        raise NodeRefused(
            f"{engine.name} is declared here and spans {', '.join(engine.nodes)} "
            "(EngineSettings.nodes), which this node is not among; declare it for those alone."
        )
    for each in (engine.nodes[0], node):
        if addresses(each) is None:
            raise NodeRefused(
                f"{engine.name} spans nodes, and {each} has no `serving_address` in the "
                "inventory; set it to its address on the engines' own network."
            )
    return engine.nodes.index(node), addresses(engine.nodes[0]), addresses(node)


def _up(serving: Serving) -> set[str]:
    return {name for name in serving.units if serving.is_up(name)}


def _runs(service: str, serving: Serving) -> bool:
    return any(serving.is_up(layout.slot(service, letter)) for letter in LETTERS)
