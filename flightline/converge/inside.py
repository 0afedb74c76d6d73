"""The one module of the converge that uses pyinfra's non-public names (pyinfra 3.10).

`tests/unit/converge/test_inside.py` holds the contract: which names must exist, with which
parameters.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import pyinfra
from pyinfra.api.config import Config
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.context import ctx_config, ctx_inventory, ctx_state
from pyinfra_cli.cli import _get_inventory_pattern_matches
from pyinfra_cli.inventory import make_inventory
from pyinfra_cli.util import exec_file

from flightline import transport
from flightline.converge.sentences import one_sentence


def loaded(inventory: str, *, check_for_changes: bool = True) -> State:
    """Return a fresh pyinfra state with the inventory, its data and config.py, as the CLI makes it.

    Nothing is connected to. Raises FlightlineError, one sentence, for anything wrong in the files.
    """
    pyinfra.is_cli = True  # operations are told apart by call site; see docs/decisions.md
    pyinfra.logger.propagate = False
    pyinfra.logger.addHandler(logging.NullHandler())
    transport.install()
    state, config = State(check_for_changes=check_for_changes), Config()
    state.cwd = str(Path.cwd())
    ctx_state.set(state)
    ctx_config.set(config)
    with one_sentence():
        if Path("config.py").is_file():
            exec_file("config.py")
        hosts = make_inventory(inventory, cwd=state.cwd)
        ctx_inventory.set(hosts)
        state.init(hosts, config)
    return state


def chosen(inventory: Inventory, patterns: Iterable[str]) -> list[Host]:
    """Return the hosts that names, groups or globs choose, in the inventory's order."""
    wanted = set(_get_inventory_pattern_matches(inventory, patterns, "--limit"))
    return [host for host in inventory if host in wanted]
