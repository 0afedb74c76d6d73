"""The driver brought to what is declared: proven first, replaced then, loaded and verified last."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from flightline.errors import FlightlineError, NodeRefused
from flightline.facts.bus import bus_of
from flightline.facts.node import node_of
from flightline.operations.bundle import bundle
from flightline.operations.refusal import Refusal
from flightline.operations.services import services
from roles.nvidia import files, scripts
from roles.nvidia.choice import Choice, Machine, choose, machine
from roles.nvidia.facts import DriverState
from roles.nvidia.refusals import driver_problems, state_of
from roles.nvidia.settings import NvidiaSettings
from roles.nvidia.sources import SOURCE_FILES, key_command, source_items
from roles.nvidia.work import Work, work

NOTHING_TO_DRIVE = "no NVIDIA GPU is on the PCI bus"


@operation()
def driver_installed(settings: NvidiaSettings) -> Generator[StringCommand]:
    """The declared driver is installed for every kernel, held, loaded, and its files are in place.

    + settings: what is declared

    Two remote commands when nothing differs, none where there is no GPU to drive. Before anything
    is replaced, the packages' installation is simulated and the modules are built in a scratch
    folder: when that fails the node keeps its driver, packaged and loaded. A replacement drains,
    stops NVIDIA's services, unloads, installs, loads and asks nvidia-smi; what cannot be unloaded
    waits for a reboot (`reboot_probes`).
    """
    try:
        node = node_of(host)
        target = machine(bus_of(host), node, settings)
        if target is None:
            host.noop(NOTHING_TO_DRIVE)
            return
        state = state_of(host)
        choice = choose(target, node, settings, state)
        if refused := driver_problems(host, settings, choice, state):
            raise NodeRefused(" ".join(f"NvidiaSettings: {problem}" for problem in refused))
        task = work(choice, state, settings)
        items, hooks = files.items(settings, node, choice, state), files.hooks(settings, node)
        change = tuple(_change(node.family, settings, choice, state, task))
    except FlightlineError as refusal:
        yield Refusal(f"{refusal.message} Nothing was changed.")
        return
    if task.install:
        # The key first: a repository without its key fails everyone's apt-get update.
        if settings.source == "nvidia":
            yield StringCommand(key_command(node, settings))
        if settings.source != "runfile":
            yield StringCommand(scripts.remember(SOURCE_FILES))
        yield from bundle._inner(items=source_items(node, settings, choice, state))
    for command in change:
        yield StringCommand(command)
    yield from bundle._inner(items=items, hooks=hooks)
    # After the files: the module takes its options when it is loaded.
    if task.load or (task.install and choice.machine.has_gpus):
        yield StringCommand(scripts.load())


@operation()
def driver_running(settings: NvidiaSettings) -> Generator[StringCommand]:
    """NVIDIA's services run and start at boot. One remote command when nothing differs."""
    try:
        target = _target(settings)
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    if target is None:
        host.noop(NOTHING_TO_DRIVE)
        return
    yield from services._inner(wanted=files.services(settings, target))


def _target(settings: NvidiaSettings) -> Machine | None:
    return machine(bus_of(host), node_of(host), settings)


def _change(
    family: str, settings: NvidiaSettings, choice: Choice, state: DriverState, task: Work
) -> Generator[str]:
    """The commands, in order, that make the driver; none when it is as declared."""
    if task.install:
        yield scripts.trial(choice, state, settings, task)
        if task.replaces:
            if settings.drain_command:
                yield scripts.drain(settings.drain_command)
            yield scripts.out_of_use(state)
        yield scripts.replace(choice, state, settings, task)
    if task.unheld:
        yield scripts.hold(task.unheld, family)
