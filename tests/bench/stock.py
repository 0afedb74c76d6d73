"""The same checks by stock testinfra: one backend, one command a time, one node after another.

`python -m tests.bench.stock BACKEND RECORDING` reads the nodes and their settings from a recording
of `flightline audit`, and prints seconds and the number of remote commands.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import testinfra
from testinfra.backend.base import BaseBackend

from flightline.audit import recording
from flightline.audit.selection import Selection
from flightline.audit.work import Wanted, Work


def main(backend: str, folder: str, ssh_config: str) -> None:
    """Judge every check on every node of the recording, and print what it took."""
    recorded = recording.read(Path(folder))
    work = Work(Wanted(Selection(())))
    counted = _count_commands()
    started = time.monotonic()
    for name in recorded.manifest.nodes:
        settings = {
            role: kind(**recorded.manifest.nodes[name].settings[role])
            for role, kind in work.kinds.items()
        }
        host = testinfra.get_host(f"{backend}://{name}", ssh_config=ssh_config, sudo=True)
        for check in work.checks:
            _judge(check, host, settings[check.role])
    seconds = time.monotonic() - started
    json.dump({"seconds": seconds, "commands": counted[0], "checks": len(work.checks)}, sys.stdout)


def _judge(check: Any, host: Any, settings: Any) -> None:
    with suppress(Exception):  # the verdict is not what is timed
        check.function(host, settings)


def _count_commands() -> list[int]:
    counted = [0]
    run_local = BaseBackend.result

    def result(self: Any, *arguments: Any, **options: Any) -> Any:
        counted[0] += 1
        return run_local(self, *arguments, **options)

    BaseBackend.result = result
    return counted


if __name__ == "__main__":
    main(*sys.argv[1:])
