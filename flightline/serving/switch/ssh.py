"""Nodes over SSH: as root, under the node's lock, and through one lost connection."""

from __future__ import annotations

import secrets
from typing import Any

from flightline import node_lock
from flightline.serving.switch.node import COMMAND_SECONDS, Lost
from flightline.transport import Completed, run_as_root


class SshNode:
    """A connected host of an inventory.

    A connection that breaks is made again once, with the lock taken again: every command of a
    switch may be repeated without harm.
    """

    def __init__(self, host: Any) -> None:
        self._host = host

    def __repr__(self) -> str:
        return f"SshNode({self._host.name})"

    def hold(self) -> str:
        """Hold the node's lock until the connection closes; return "" or why not, a sentence."""
        return node_lock.take(self._host)

    def run(
        self, command: str, stdin: str = "", *, timeout_seconds: float = COMMAND_SECONDS
    ) -> tuple[int, str, str]:
        """Run a POSIX shell command as root; raises Lost when the node does not answer."""
        script = scripted(command, stdin)
        try:
            done = self._sent(script, timeout_seconds)
        except TimeoutError:
            raise Lost(self._host.name, f"no end within {timeout_seconds:g} s") from None
        except (OSError, EOFError) as error:
            raise Lost(self._host.name, str(error) or type(error).__name__) from None
        return done.rc, done.stdout, done.stderr

    def _sent(self, script: str, timeout_seconds: float) -> Completed:
        try:
            return run_as_root(self._host, script, timeout_seconds=timeout_seconds)
        except TimeoutError:
            raise
        except (OSError, EOFError):
            self._connect_again()
            return run_as_root(self._host, script, timeout_seconds=timeout_seconds)

    def _connect_again(self) -> None:
        try:
            self._host.disconnect()
            self._host.connect(show_errors=False, raise_exceptions=True)
        except Exception as error:  # noqa: BLE001 - whatever pyinfra raises for a connection
            raise ConnectionError(str(error)) from None
        if refused := self.hold():
            raise ConnectionError(refused)


class DeadNode:
    """A host that could not be connected to."""

    def __init__(self, name: str, why: str) -> None:
        self._name = name
        self._why = why

    def __repr__(self) -> str:
        return f"DeadNode({self._name})"

    def run(
        self,
        command: str,  # noqa: ARG002 - as Node has it
        stdin: str = "",  # noqa: ARG002
        *,
        timeout_seconds: float = COMMAND_SECONDS,  # noqa: ARG002
    ) -> tuple[int, str, str]:
        """Raise Lost."""
        raise Lost(self._name, self._why)


def scripted(command: str, stdin: str) -> str:
    """Return a script that runs a command with this standard input, which ends with a newline.

    Raises ValueError for anything but ASCII: dash spoils other bytes of a here-document.
    """
    if not stdin:
        return command
    if not stdin.isascii():
        raise ValueError("standard input of a command must be ASCII")
    mark = f"END-{secrets.token_hex(8)}"
    text = stdin if stdin.endswith("\n") else f"{stdin}\n"
    return f"{{ {command}\n}} <<'{mark}'\n{text}{mark}\n"
