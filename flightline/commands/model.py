"""`flightline model`: publish, list, verify and switch models; each loaded when it is used."""

from __future__ import annotations

import importlib

import click

SUMMARIES = {
    "publish": "Write a folder of weights to a mirror, with its manifest.",
    "list": "Which versions nodes have, which serve, what is still under way.",
    "verify": "Hash every file of every version on the nodes.",
    "switch": "Serve another version without dropping a request.",
}


class Subcommands(click.Group):
    """Loads a subcommand's module, `flightline.commands.model_<name>`, only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the subcommands in the order in which they are needed."""
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Return the click command of that name, or None."""
        if cmd_name not in SUMMARIES:
            return None
        module = importlib.import_module(f"flightline.commands.model_{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the summaries without importing the subcommands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


@click.group("model", cls=Subcommands)
def command() -> None:
    """Models: publish them to a mirror, see and verify them on nodes, switch between versions."""
