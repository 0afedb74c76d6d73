"""Going down and coming back, as one command of the operation."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from typing import Any

from pyinfra import logger
from pyinfra.api.command import StringCommand
from pyinfra.connectors.util import CommandOutput, OutputLine

from flightline import node_lock
from flightline.facts.node import forget_node
from flightline.operations.reboot.need import RECORD, Intent
from flightline.operations.reboot.wait import LOST, Away, settle, wait_for_boot
from flightline.reboot import RebootProbe


def trigger(intent: Intent, record: str = RECORD) -> str:
    """Return the shell command that records the intent, then reboots a second after it returned."""
    folder, fresh, final = map(shlex.quote, (record.rpartition("/")[0], f"{record}.new", record))
    return (
        f"umask 077; mkdir -p {folder} && "
        f"printf '%s\\n' {shlex.quote(intent.to_json())} >{fresh} && "
        f"{{ sync {fresh} || sync; }} 2>/dev/null && mv -f {fresh} {final} && "
        "{ (trap '' HUP; sleep 1; systemctl reboot || shutdown -r now || reboot) "
        "</dev/null >/dev/null 2>&1 & }"
    )


class Reboot(StringCommand):
    """Reboots the node; succeeds when it is back on another boot and asks for nothing more."""

    def __init__(self, intent: Intent, probes: Sequence[RebootProbe], timeout_seconds: int) -> None:
        super().__init__(trigger(intent))
        self.intent, self.probes, self.timeout_seconds = intent, probes, timeout_seconds

    def execute(
        self, state: Any, host: Any, connector_arguments: Any
    ) -> tuple[bool, CommandOutput]:
        """Run it; a failure is one sentence on stderr, and fails this node alone."""
        logger.info(f"{host.print_prefix}rebooting: {'; '.join(self.intent.reasons)}")
        started = time.monotonic()
        node = Away(host, dict(connector_arguments))
        try:
            done, output = super().execute(state, host, connector_arguments)
        except LOST:
            node.tell("the connection was lost; waiting whether the node comes back")
        else:
            if not done:
                return False, output
        sentence = wait_for_boot(node, self.intent.boot_id, self.timeout_seconds)
        forget_node(host)
        # settle may connect anew, and the lock goes with a connection: take is free when it is held
        sentence = (
            sentence or node_lock.take(host) or settle(node, self.probes) or node_lock.take(host)
        )
        if sentence:
            return False, CommandOutput([OutputLine("stderr", sentence)])
        text = f"rebooted in {time.monotonic() - started:.0f} s"
        node.tell(text)
        return True, CommandOutput([OutputLine("stdout", text)])
