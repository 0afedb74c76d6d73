"""The running lab as pyinfra hosts."""

from __future__ import annotations

import os
from typing import Any

from flightline.errors import FlightlineError
from flightline.lab import keys, state
from flightline.lab.light.node import LightNode
from flightline.lab.shell import USER
from flightline.lab.state import Node


def running_nodes() -> list[tuple[str, dict[str, Any]]]:
    """Return (name, data) of each virtual machine that runs, host keys pinned.

    FLIGHTLINE_LAB_NODES="node-1,light-1" names the nodes to return instead. Light nodes come only
    when named: their kernel is this computer's, so that a whole deploy has no place on them.
    Raises FlightlineError where none runs, or where a named one does not.
    """
    running = {node.name: node for node in state.every() if node.is_running}
    limit = os.environ.get("FLIGHTLINE_LAB_NODES", "")
    named = [name.strip() for name in limit.split(",") if name.strip()]
    usual = [name for name, node in running.items() if isinstance(node, Node)]
    if not running:
        raise FlightlineError("no lab nodes are running; run `flightline lab up`.")
    for name in named:
        if name not in running:
            raise FlightlineError(
                f"FLIGHTLINE_LAB_NODES names {name!r}, which does not run; "
                f"running: {', '.join(running)}."
            )
    if not named and not usual:
        raise FlightlineError(
            f"only light nodes run ({', '.join(running)}), and these are worked on only when "
            "FLIGHTLINE_LAB_NODES names them; run `flightline lab up` for virtual machines."
        )
    return [(name, data_of(running[name])) for name in named or usual]


def data_of(node: Node | LightNode) -> dict[str, Any]:
    """Return the pyinfra data that reaches a node: port, user, key, pinned host key, sudo.

    And, for a virtual machine, where other nodes reach it: its address on the second network.
    """
    serving = {"serving_address": node.address} if isinstance(node, Node) else {}
    return {
        "ssh_hostname": "127.0.0.1",
        "ssh_port": node.ssh_port,
        "ssh_user": USER,
        "ssh_key": str(keys.access_key()),
        "ssh_known_hosts_file": str(node.door.known_hosts),
        "ssh_strict_host_key_checking": "yes",
        "_sudo": True,
        **serving,
    }
