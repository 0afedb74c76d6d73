"""`flightline model`: publish, list, verify and switch models; each loaded when it is used."""

from __future__ import annotations

import click

from flightline.commands.lazy import LazyGroup

SUMMARIES = {
    "publish": "Write a folder of weights to a mirror, with its manifest.",
    "list": "Which versions nodes have, which serve, what is still under way.",
    "verify": "Hash every file of every version on the nodes.",
    "switch": "Serve another version without dropping a request.",
}


@click.group("model", cls=LazyGroup, summaries=SUMMARIES, modules="flightline.commands.model_")
def command() -> None:
    """Models: publish them to a mirror, see and verify them on nodes, switch between versions."""
