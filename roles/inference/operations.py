"""The role's operations: what engines need, their files, and what runs."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import NoHostError
from pyinfra.api.operation import operation
from pyinfra.context import host, inventory

from flightline.errors import FlightlineError
from flightline.operations.bundle import bundle
from flightline.operations.packages import installed
from flightline.operations.refusal import Refusal
from roles.inference import files, scripts
from roles.inference.facts import Serving, forget_serving, last_serving, serving_of
from roles.inference.settings import InferenceSettings
from roles.inference.wanted import Wanted, refuse_harm, wanted, work

_EMPTY = "no engine is declared"


@operation()
def engines_prepared(
    settings: InferenceSettings, first_served: Mapping[str, str]
) -> Generator[StringCommand]:
    """Every image is on the node, pulled before anything stops, and curl is installed.

    + settings: what is declared
    + first_served: for each model the version that a service without a state begins with

    One remote command when nothing differs, also where no engine is declared: some may run still.
    What would disturb a running engine without leave is refused here, before anything is touched.
    """
    try:
        serving = serving_of(host, _images(settings))
        refuse_harm(settings, _wanted(settings, serving, first_served), serving)
    except FlightlineError as refusal:
        yield Refusal(f"{refusal.message} Nothing was changed.")
        return
    if not settings.engines:
        host.noop(_EMPTY)
        return
    if not serving.has_curl:
        yield from _changing(installed._inner(packages=("curl",)))
    missing = [image for image in _images(settings) if image not in serving.images]
    if missing:
        yield from _changing([StringCommand(scripts.pull(settings, missing))])
    if serving.has_curl and not missing:
        host.noop("images and tools are there")


@operation()
def engines_declared(
    settings: InferenceSettings, first_served: Mapping[str, str]
) -> Generator[StringCommand]:
    """The unit, what each slot runs, and the states of fresh services are in place.

    + settings: what is declared
    + first_served: for each model the version that a service without a state begins with

    One remote command when nothing differs. No engine notices.
    """
    if not settings.engines:
        host.noop(_EMPTY)
        return
    try:
        serving = last_serving(host, _images(settings))
        items = files.items(_wanted(settings, serving, first_served))
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    yield from _changing(bundle._inner(items=items, hooks=files.HOOKS))


@operation()
def engines_running(
    settings: InferenceSettings, first_served: Mapping[str, str]
) -> Generator[StringCommand]:
    """Every slot with a version runs as declared and is ready; every other is off.

    + settings: what is declared
    + first_served: for each model the version that a service without a state begins with

    No remote command when nothing differs. A restart drains first, one slot after the other.
    """
    try:
        serving = last_serving(host, _images(settings))
        target = _wanted(settings, serving, first_served)
        refuse_harm(settings, target, serving)
        todo = work(target, serving)
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    commands = [
        *map(scripts.remove, todo.remove),
        *([scripts.stop(todo.stop)] if todo.stop else []),
        *map(scripts.restart, todo.restart),
        *([scripts.start(todo.start)] if todo.start else []),
    ]
    if not commands:
        running = len(target.running)
        host.noop(f"{running} engines run as declared" if settings.engines else _EMPTY)
    yield from _changing(map(StringCommand, commands))


def _images(settings: InferenceSettings) -> tuple[str, ...]:
    return tuple(dict.fromkeys(engine.image for engine in settings.engines))


def _wanted(
    settings: InferenceSettings, serving: Serving, first_served: Mapping[str, str]
) -> Wanted:
    return wanted(settings, serving, first_served, host.name, _address)


def _address(node: str) -> str | None:
    try:
        found = inventory.get_host(node).data.get("serving_address")
    except NoHostError:
        return None
    return None if found is None else str(found)


def _changing(commands: Iterable[StringCommand]) -> Generator[StringCommand]:
    """The same commands; after one of them, what is known of the node no longer holds."""
    for command in commands:
        forget_serving(host)
        yield command
