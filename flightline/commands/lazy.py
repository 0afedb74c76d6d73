"""A group whose commands are loaded when they are used: start-up stays quick."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """Knows its commands by a sentence each, and loads a command's module only to run it."""

    def __init__(self, *args: Any, summaries: Mapping[str, str], modules: str, **options: Any):
        """`modules`: what stands before a command's name in its module's, with the dot."""
        super().__init__(*args, **options)
        self._summaries = summaries
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the summaries."""
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Return the click command of that name, or None."""
        if cmd_name not in self._summaries:
            return None
        command: click.Command = importlib.import_module(f"{self._modules}{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the summaries without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))
