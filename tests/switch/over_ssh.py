"""The real `flightline`, with the places on its nodes moved into the rig's folder.

Run as `over_ssh.py RIG LOCK ARGUMENTS...`: everything but the names of files is as on a node.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from flightline import node_lock
from flightline.cli import main
from flightline.serving.switch.ssh import SshNode
from tests.switch.rig import LocalNode

RIG, LOCK = Path(sys.argv[1]), sys.argv[2]
del sys.argv[1:3]
as_on_a_node = SshNode.run


def moved(self: Any, command: str, *rest: Any, **more: Any) -> tuple[int, str, str]:
    node = LocalNode(self._host.name, RIG / self._host.name)
    exports = " ".join(f"{name}={shlex.quote(text)}" for name, text in node.environment.items())
    return as_on_a_node(self, f"export {exports}; {node.here(command)}", *rest, **more)


node_lock.LOCK = LOCK
SshNode.run = moved  # type: ignore[method-assign]
main()
