"""A gateway without a memory learns from the nodes which slot of each service serves.

HAProxy's configuration gives slot a all requests. What a switch changed since is in the servers'
state, which a new or reinstalled gateway has not.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pyinfra import logger

from flightline.errors import FlightlineError
from flightline.serving import layout, state
from flightline.serving.layout import WEIGHT_FULL, other
from flightline.serving.upstreams import Upstream
from flightline.transport import run_as_root

FRESH = "/run/flightline-gateway.fresh"
"""There while a gateway that had no servers' state has not been given its weights."""
REMEMBER = f"test -s {layout.GATEWAY_STATE} || : > {FRESH}"
ASK_SECONDS = 60

Ask = Callable[[Upstream], str | None]
"""Returns the content of a service's state file; None where there is none, or nobody answers."""


def commands(upstreams: Sequence[Upstream], ask: Ask) -> Iterator[str]:
    """Yield the runtime commands that give each service's serving slot all of its requests.

    A service that never switched needs none: its slot a has them.
    """
    for each in upstreams:
        try:
            told = ask(each)
            active = state.loads(told, each.service).active if told else "a"
        except FlightlineError as error:
            logger.warning(f"{each.node}: {error.message}")
            continue
        if active != "a":
            backend = layout.backend(each.model)
            yield f"set server {backend}/{each.server(active)} weight {WEIGHT_FULL}"
            yield f"set server {backend}/{each.server(other(active))} weight 0"


def script(runtime_commands: Sequence[str]) -> str:
    """Return the shell command that gives a fresh gateway its weights, and does no other harm."""
    given = f"{layout.GATEWAY_CTL} {shlex.join(runtime_commands)} && " if runtime_commands else ""
    return f"if [ -e {FRESH} ]; then {given}rm -f {FRESH}; fi"


def ask_by(hosts: Callable[[str], Any]) -> Ask:
    """Return how a service's node is asked; `hosts` gives pyinfra's host of a name.

    A node that this run is not connected to cannot be asked: that is said, and its slot a serves
    until `flightline model switch` or the next converge finds otherwise.
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
            done = run_as_root(host, f"cat {shlex.quote(path)}", timeout_seconds=ASK_SECONDS)
        except (OSError, EOFError, FlightlineError) as error:
            logger.warning(f"{upstream.node} did not say which slot of it serves: {error}")
            return None
        return done.stdout if done.rc == 0 else None

    return ask
