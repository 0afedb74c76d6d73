"""Refuses, before anything is changed, what cannot work with the GPUs that the node has."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from flightline.errors import FlightlineError, NodeRefused
from flightline.facts.bus import bus_of
from flightline.facts.node import node_of
from flightline.operations.refusal import Refusal
from flightline.plan.found import Found, problems
from roles.nvidia.choice import Choice, choose, machine
from roles.nvidia.facts import Driver, DriverState
from roles.nvidia.settings import NvidiaSettings
from roles.nvidia.work import work


@operation()
def refuse_unfit_gpus(settings: NvidiaSettings) -> Generator[StringCommand]:
    """The declared driver, GPUs and models can work on this node.

    One remote command, two on a node with GPUs. Fails with every problem in one sentence each,
    before anything on the node was touched; so it does where the driver in place would have to go
    and may not.
    """
    try:
        found = found_problems(host, settings)
    except FlightlineError as error:
        yield Refusal(error.message)
        return
    if found:
        yield Refusal(" ".join(f"NvidiaSettings: {problem}" for problem in found))
    else:
        host.noop("the declaration fits the GPUs of this node")


def found_problems(node: Any, settings: NvidiaSettings) -> tuple[str, ...]:
    """Return what stands in the way on a pyinfra host; raises NodeRefused for what has no choice.

    The driver is judged as chosen for this node: the distribution's branch, the GPU's flavour.
    """
    devices = bus_of(node)
    if refused := problems(settings, Found(devices)):
        return refused
    target = machine(devices, node_of(node), settings)
    if target is None:
        return ()
    state = state_of(node)
    choice = choose(target, node_of(node), settings, state)
    if refused := driver_problems(node, settings, choice, state):
        return refused
    work(choice, state, settings)  # raises where the driver in place may not go
    return ()


def driver_problems(
    node: Any, settings: NvidiaSettings, choice: Choice, state: DriverState
) -> tuple[str, ...]:
    """Return what stands in the way of the chosen driver on a pyinfra host with GPUs."""
    if not choice.machine.has_gpus:
        return ()
    found = Found(
        bus_of(node),
        is_secure_boot_on=state.is_secure_boot_on,
        has_enrolled_key=state.has_enrolled_key,
        builds_modules=choice.builds_modules,
    )
    return problems(_chosen(settings, choice), found)


def state_of(node: Any) -> DriverState:
    """Return the driver's state, asked anew; raises NodeRefused when it cannot be read."""
    state: DriverState | None = node.get_fact(Driver)
    if state is None:
        raise NodeRefused("the state of the NVIDIA driver could not be read.")
    return state


def _chosen(settings: NvidiaSettings, choice: Choice) -> NvidiaSettings:
    """The settings with the driver that was chosen; not validated, because that is what follows."""
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    return NvidiaSettings.model_construct(
        **{**values, "branch": choice.branch, "kernel_modules": choice.flavour}
    )
