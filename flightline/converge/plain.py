"""What makes plain `pyinfra INVENTORY deploy.py` ours; config.py calls it."""

from __future__ import annotations

from typing import Any

from pyinfra_cli.exceptions import CliError, UnexpectedExternalError

from flightline import transport
from flightline.converge.sentences import explained
from flightline.errors import FlightlineError

_traceback_of = UnexpectedExternalError.show


def install() -> None:
    """Use our transport, and tell FlightlineErrors of the operator's files in one sentence."""
    transport.install()
    UnexpectedExternalError.show = _show


def _show(self: UnexpectedExternalError, file: Any = None) -> None:
    if isinstance(self.exception, FlightlineError):
        CliError(explained(self)).show(file)
    else:
        _traceback_of(self, file)
