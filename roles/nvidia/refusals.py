"""Refuses, before anything is changed, what cannot work with the GPUs that the node has."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from flightline.errors import FlightlineError
from flightline.facts.bus import bus_of
from flightline.operations.refusal import Refusal
from flightline.plan.found import Found, problems
from roles.nvidia.settings import NvidiaSettings


@operation()
def refuse_unfit_gpus(settings: NvidiaSettings) -> Generator[StringCommand]:
    """The declared driver, GPUs and models can work on this node. One remote command.

    Fails with every problem in one sentence each, before anything on the node was touched.
    """
    try:
        found = problems(settings, Found(bus_of(host)))
    except FlightlineError as error:
        found = (error.message,)
    if found:
        yield Refusal(" ".join(f"NvidiaSettings: {problem}" for problem in found))
    else:
        host.noop("the declaration fits the GPUs of this node")
