"""What makes plain `pyinfra INVENTORY deploy.py` ours; config.py calls it."""

from __future__ import annotations

from typing import Any

from pyinfra_cli.exceptions import CliError, UnexpectedExternalError

from flightline import transport
from flightline.converge import guard
from flightline.converge.sentences import explained, is_expected

_traceback_of = UnexpectedExternalError.show


def install() -> None:
    """Use our transport, keep one node's trouble on that node, tell bad input in one sentence."""
    transport.install()
    guard.install()
    UnexpectedExternalError.show = _show


def _show(self: UnexpectedExternalError, file: Any = None) -> None:
    if is_expected(self.exception):
        CliError(explained(self)).show(file)
    else:
        _traceback_of(self, file)
