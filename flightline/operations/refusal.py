"""Failing one node with a sentence, while the other nodes go on.

An exception that leaves an operation while it is executed ends pyinfra's whole run, for every node
(pyinfra 3.10, api/operations.py: `_run_single_op` calls `greenlet.get()`, read 2026-11-21). A
command that fails ends the run of its own node only: so a refusal is such a command.
"""

from __future__ import annotations

from typing import Any

from pyinfra.api.command import StringCommand
from pyinfra.connectors.util import CommandOutput, OutputLine


class Refusal(StringCommand):
    """A command that sends nothing to the node, and fails there with a sentence on stderr."""

    def __init__(self, sentence: str) -> None:
        super().__init__("refuse:", sentence)
        self.sentence = sentence

    def execute(self, *_context: Any) -> tuple[bool, CommandOutput]:
        """Fail as pyinfra expects a remote command to fail; no round trip."""
        return False, CommandOutput([OutputLine("stderr", self.sentence)])
