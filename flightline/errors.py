"""What a person is told when something is wrong: one sentence, never a traceback."""

from __future__ import annotations

import click


class FlightlineError(click.ClickException):
    """Bad input or a situation that cannot be judged; ends a command with exit code 2.

    The message is one sentence: where, what is, what was expected, what to do.
    """

    exit_code = 2


class SettingsError(FlightlineError):
    """A value in group_data or an inventory is wrong; nothing was connected to yet."""


class NodeRefused(FlightlineError):  # noqa: N818 - named for what happened
    """A node cannot be worked on as it is; nothing on it was changed. Exit code 1."""

    exit_code = 1
