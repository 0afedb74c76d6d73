"""What makes plain `pyinfra INVENTORY deploy.py` ours; config.py calls it."""

from __future__ import annotations

import flightline.converge.patched  # isort: skip  # noqa: F401 - first, for its effect

import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from pyinfra import logger
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.context import ctx_state
from pyinfra_cli import cli
from pyinfra_cli.exceptions import CliError, UnexpectedExternalError

from flightline import transport
from flightline.converge import guard
from flightline.converge.declarations import check_declarations
from flightline.converge.sentences import (
    explained,
    is_expected,
    missing,
    one_sentence,
    unmatched,
    without_hosts,
)
from flightline.errors import FlightlineError

_traceback_of = UnexpectedExternalError.show
_make_inventory = cli.make_inventory
_apply_limit = cli._apply_inventory_limit
_disconnect_all = cli.disconnect_all


def install() -> None:
    """Do what `replace` does, and end pyinfra's own command as ours end.

    pyinfra 3.10 ends with 0 after Ctrl-C, without an inventory, and when --limit chooses nothing;
    its last lines do not name the nodes that failed.
    """
    replace()
    cli.make_inventory = _inventory
    cli._apply_inventory_limit = _limited
    cli.disconnect_all = _ended
    signal.signal(signal.SIGINT, _interrupted)


def replace() -> None:
    """Use our transport, keep one node's trouble on that node, tell bad input in one sentence."""
    transport.install()
    guard.install()
    UnexpectedExternalError.show = _show
    UnexpectedExternalError.exit_code = property(_exit_code)  # click reads it before it shows


def _show(self: UnexpectedExternalError, file: Any = None) -> None:
    if is_expected(self.exception):
        CliError(explained(self)).show(file)
    else:
        _traceback_of(self, file)


def _exit_code(self: UnexpectedExternalError) -> int:
    return FlightlineError.exit_code if is_expected(self.exception) else 1


def _inventory(given: str, **options: Any) -> Inventory:
    """Make the inventory; bad input ends the run before anything is connected to."""
    try:
        with one_sentence():
            made: Inventory = _make_inventory(given, **options)
            check_declarations(made)
    except FlightlineError as error:
        raise _bad_input(error.message) from None
    if not len(made):
        raise _bad_input(without_hosts(given) if Path(given).is_file() else missing(given))
    return made


def _limited(inventory: Inventory, patterns: Iterable[str] | None) -> list[Host] | None:
    for pattern in patterns or ():
        if not _apply_limit(inventory, [pattern]):
            raise _bad_input(unmatched(pattern, "the inventory", inventory))
    chosen: list[Host] | None = _apply_limit(inventory, patterns)
    return chosen


def _bad_input(sentence: str) -> CliError:
    error = CliError(sentence)
    error.exit_code = FlightlineError.exit_code
    return error


def _ended(state: State) -> None:
    """Disconnect, and name the nodes that failed on the last line."""
    _disconnect_all(state)
    chosen = list(state.limit_hosts or state.inventory)
    failed = [host.name for host in chosen if host in state.failed_hosts]
    if failed:
        logger.error(f"{len(failed)} of {len(chosen)} nodes failed: {', '.join(failed)}.")


def _interrupted(*_signal: Any) -> NoReturn:
    sys.stderr.write(f"\nInterrupted; in progress: {_in_progress() or 'nothing'}.\n")
    sys.exit(1)


def _in_progress() -> str:
    state = ctx_state.get()
    if state is None or not state.initialised:
        return ""
    doing = [
        f"{host.name}: {', '.join(state.get_op_meta(host.executing_op_hash).names)}"
        for host in state.inventory
        if host.executing_op_hash
    ]
    return "; ".join(sorted(doing))
