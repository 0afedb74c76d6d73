"""Works one node over one connection, on orders read as JSON lines; keeps gevent out of pytest.

{"sh": SCRIPT} answers {"status": int, "said": text}; {"audit": [ids]} ([] means all checks)
answers {"results": {id: [outcome, message, suppressed_by]}}. An order that goes wrong answers
{"trouble": text}.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from flightline.audit import runner
from flightline.converge.session import Session, connect
from flightline.errors import FlightlineError
from flightline.transport import run_as_root

BREAK_SECONDS = 120


def main(inventory: str, node: str) -> None:
    """Connect, say {"ready": ...}, then answer one line for each line of standard input."""
    with connect(inventory, [node]) as session:
        _say({"ready": [host.name for host in session.hosts], "trouble": session.failed})
        for line in sys.stdin:
            try:
                _say(_answer(session, inventory, json.loads(line)))
            except (FlightlineError, OSError) as error:
                _say({"trouble": str(error)})


def _answer(session: Session, inventory: str, order: dict[str, Any]) -> dict[str, Any]:
    if "sh" in order:
        done = run_as_root(session.hosts[0], order["sh"], timeout_seconds=BREAK_SECONDS)
        return {"status": done.rc, "said": f"{done.stdout}{done.stderr}".strip()}
    wanted = runner.Wanted(
        runner.Selection(checks=tuple(order["audit"])), waivers_file=Path(os.devnull)
    )
    report = runner.audit(inventory, wanted, session=session, record=False)
    results = {
        check.id: [check.outcome.value, check.message, check.suppressed_by]
        for check in report.nodes[0].checks
    }
    return {"results": results}


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
