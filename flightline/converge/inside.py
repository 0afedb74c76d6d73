"""The one module of the converge that uses pyinfra's non-public names (pyinfra 3.10).

`tests/unit/converge/own_process/inside.py` holds the contract: which names must exist, with which
parameters.
"""

from __future__ import annotations

import flightline.converge.patched  # isort: skip  # noqa: F401 - first, for its effect

import inspect
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyinfra
from pyinfra.api import operations
from pyinfra.api.config import Config
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.operation import OperationMeta
from pyinfra.api.state import State, StateStage
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state
from pyinfra_cli.cli import _get_inventory_pattern_matches
from pyinfra_cli.inventory import make_inventory
from pyinfra_cli.util import PYTHON_CODES, exec_file

from flightline.converge import guard, plain
from flightline.converge.sentences import one_sentence


def loaded(inventory: str, *, check_for_changes: bool = True) -> State:
    """Return a fresh pyinfra state with the inventory, its data and config.py, as the CLI makes it.

    Nothing is connected to. Raises FlightlineError, one sentence, for anything wrong in the files.
    """
    pyinfra.is_cli = True  # operations are told apart by call site; see docs/decisions.md
    pyinfra.logger.propagate = False
    pyinfra.logger.addHandler(logging.NullHandler())
    plain.replace()
    PYTHON_CODES.clear()  # pyinfra remembers files by name for as long as the process lives
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


@dataclass(frozen=True)
class Step:
    """One operation of one host, as deploy.py put it on the list."""

    op_hash: str
    name: str
    """As pyinfra shows it, such as "Kernel | Load modules"."""
    function: str
    """The name of the operation's function, such as "reboot_when_needed"."""

    @property
    def role(self) -> str:
        """The role that the operation belongs to; "" for one directly in deploy.py."""
        prefix, bar, _ = self.name.partition(" | ")
        return prefix.lower().replace(" ", "_") if bar else ""


def prepare(state: State, hosts: Sequence[Host], deploy: str = "deploy.py") -> dict[str, Exception]:
    """Run deploy.py for each host; return what it raised, by host name. Nothing is executed."""
    state.set_stage(StateStage.Prepare)
    state.current_deploy_filename = deploy
    outcome = guard.prepared(state, hosts, lambda: exec_file(deploy))
    return {host.name: error for host, error in outcome.items() if error}


def steps(state: State, host: Host) -> list[Step]:
    """Return the host's operations in the order of the run."""
    own = state.ops[host]
    return [_step(state, host, op_hash) for op_hash in state.get_op_order() if op_hash in own]


def _step(state: State, host: Host, op_hash: str) -> Step:
    nonlocals = inspect.getclosurevars(state.ops[host][op_hash].command_generator).nonlocals
    name = ", ".join(sorted(state.get_op_meta(op_hash).names))
    return Step(op_hash, name, getattr(nonlocals.get("func"), "__name__", ""))


def first_command(state: State, host: Host, step: Step) -> Any:
    """Return the first command that the operation would send now, None when there is none.

    Asks the node what the operation asks it, and sends nothing else.
    """
    with ctx_host.use(host):
        commands = state.ops[host][step.op_hash].command_generator()
        try:
            return next(iter(commands), None)
        finally:
            commands.close()  # type: ignore[attr-defined]  # a generator, typed as an iterator


def begin_execution(state: State) -> None:
    """Let operations act from now on."""
    state.set_stage(StateStage.Execute)
    state.is_executing = True


def execute(state: State, host: Host, step: Step) -> OperationMeta:
    """Run one operation on one host to its end, and return its outcome; never raises for it."""
    with ctx_host.use(host):
        operations.run_host_op(state, host, step.op_hash)
    return state.ops[host][step.op_hash].operation_meta


def commands_of(meta: OperationMeta) -> list[Any]:
    """Return the commands that an executed operation ran or tried to run."""
    return list(meta._commands or ())


def may_fail(state: State, host: Host, step: Step) -> bool:
    """Tell whether the operation was declared with `_ignore_errors`."""
    return bool(state.ops[host][step.op_hash].global_arguments.get("_ignore_errors"))


def width(state: State, step: Step) -> int:
    """Return on how many hosts at once the operation may run (`_serial`, `_parallel`); 0: all."""
    arguments = state.get_op_meta(step.op_hash).global_arguments
    return 1 if arguments["_serial"] else int(arguments["_parallel"] or 0)
