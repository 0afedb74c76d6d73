"""A gateway without a memory learns from the nodes which slot of each service serves.

HAProxy's configuration gives slot a all requests. What a switch changed since is in the servers'
state, which a new or reinstalled gateway has not.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pyinfra import logger

from flightline.errors import FlightlineError
from flightline.serving import layout, state
from flightline.serving.layout import WEIGHT_FULL, other
from flightline.serving.upstreams import Upstream
from flightline.transport import run_as_root

FRESH = f"{layout.GATEWAY_STATE.rpartition('/')[0]}/fresh"
"""There while a gateway that had no servers' state has not been given all of its weights."""
REMEMBER = f"test -s {layout.GATEWAY_STATE} || : > {FRESH}"
ASK_SECONDS = 60

Ask = Callable[[Upstream], str | None]
"""Returns the content of a service's state file, empty without one; None where nobody answers."""


@dataclass(frozen=True)
class Learned:
    """What the nodes said of the slots that serve."""

    commands: tuple[str, ...] = ()
    """HAProxy's runtime commands, which give each serving slot all requests of its service."""
    is_all: bool = False
    """Every node answered."""


def learned(upstreams: Sequence[Upstream], ask: Ask) -> Learned:
    """Return what the services' own states call for.

    A service that never switched needs no command: its slot a has all requests.
    """
    commands: list[str] = []
    is_all = True
    for each in upstreams:
        try:
            told = ask(each)
            active = state.loads(told, each.service).active if told else "a"
        except FlightlineError as error:
            logger.warning(f"{each.node}: {error.message}")
            told, active = None, "a"
        is_all = is_all and told is not None
        if active != "a":
            backend = layout.backend(each.model)
            commands.append(f"set server {backend}/{each.server(active)} weight {WEIGHT_FULL}")
            commands.append(f"set server {backend}/{each.server(other(active))} weight 0")
    return Learned(tuple(commands), is_all)


def script(found: Learned) -> str:
    """Return the shell command that gives a fresh gateway its weights, and does no other harm.

    It stays fresh until all of them were given.
    """
    steps = [f"{layout.GATEWAY_CTL} {shlex.join(found.commands)}"] if found.commands else []
    steps += [f"rm -f {FRESH}"] if found.is_all else []
    return f"if [ -e {FRESH} ]; then {' && '.join(steps) or ':'}; fi"


def ask_by(hosts: Callable[[str], Any]) -> Ask:
    """Return how a service's node is asked; `hosts` gives pyinfra's host of a name.

    A node that this run is not connected to cannot be asked: that is said, and its slot a serves
    until `flightline model switch`, or a converge of both nodes, finds otherwise.
    """

    def ask(upstream: Upstream) -> str | None:
        host = hosts(upstream.node)
        path = f"{layout.STATES}/{upstream.service}.json"
        if host is None or not host.connected:
            logger.warning(
                f"{upstream.node} is not part of this run, so this gateway takes slot a of "
                f"{upstream.service} for the one that serves; apply to both nodes together."
            )
            return None
        try:
            quoted = shlex.quote(path)
            done = run_as_root(
                host, f"[ ! -e {quoted} ] || cat {quoted}", timeout_seconds=ASK_SECONDS
            )
        except (OSError, EOFError, FlightlineError) as error:
            logger.warning(f"{upstream.node} did not say which slot of it serves: {error}")
            return None
        return done.stdout if done.rc == 0 else None

    return ask
