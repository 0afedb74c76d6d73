"""What makes plain `pyinfra INVENTORY deploy.py` ours; config.py calls it."""

from __future__ import annotations

import flightline.converge.patched  # isort: skip  # noqa: F401 - first, for its effect

import signal
import sys
from typing import Any, NoReturn

from pyinfra.context import ctx_state
from pyinfra_cli.exceptions import CliError, UnexpectedExternalError

from flightline import transport
from flightline.converge import guard
from flightline.converge.sentences import explained, is_expected

_traceback_of = UnexpectedExternalError.show


def install() -> None:
    """Do what `replace` does, and end with exit code 1 on Ctrl-C, where pyinfra ends with 0."""
    replace()
    signal.signal(signal.SIGINT, _interrupted)


def replace() -> None:
    """Use our transport, keep one node's trouble on that node, tell bad input in one sentence."""
    transport.install()
    guard.install()
    UnexpectedExternalError.show = _show


def _show(self: UnexpectedExternalError, file: Any = None) -> None:
    if is_expected(self.exception):
        CliError(explained(self)).show(file)
    else:
        _traceback_of(self, file)


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
