"""What the roles want of a node, recorded from deploy.py itself, for a peer to do the same.

`python -m tests.bench.desired INVENTORY NODE` prints JSON for tests/bench/playbook.py. The node is
converged: what is merged into its files is read from it.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from flightline.converge import inside
from flightline.converge.session import connect
from flightline.operations.bundle import Merge, bundle
from flightline.operations.packages import installed
from flightline.operations.services import services
from flightline.transport import run_as_root

KINDS = {"bundle": bundle, "installed": installed, "services": services}


def main(inventory: str, node: str) -> None:
    """Print the operations of the node, in order."""
    calls: list[tuple[str, dict[str, Any]]] = []
    with connect(inventory, node) as session:
        host = session.hosts[0]
        for kind, operation in KINDS.items():
            _record_nested(kind, operation, calls)
        errors = inside.prepare(session.state, session.hosts)
        if errors:
            raise SystemExit(f"{node} cannot be prepared: {errors}")
        for step in inside.steps(session.state, host):
            made = inspect.getclosurevars(session.state.ops[host][step.op_hash].command_generator)
            if step.function in KINDS:
                calls.append((step.function, dict(made.nonlocals["kwargs"])))
        found = [_described(host, kind, arguments) for kind, arguments in calls]
    json.dump(found, sys.stdout, indent=1)


def _record_nested(kind: str, operation: Any, calls: list[tuple[str, dict[str, Any]]]) -> None:
    inner: Callable[..., Iterator[Any]] = operation._inner

    def recorder(**arguments: Any) -> Iterator[Any]:
        calls.append((kind, arguments))
        yield from inner(**arguments)

    operation._inner = recorder


def _described(host: Any, kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
    if kind == "installed":
        return {"kind": kind, "packages": list(arguments["packages"])}
    if kind == "services":
        return {"kind": kind, "wanted": [asdict(each) for each in arguments["wanted"]]}
    hooks = [asdict(hook) for hook in arguments.get("hooks", ())]
    return {"kind": kind, "hooks": hooks, "items": [_item(host, i) for i in arguments["items"]]}


def _item(host: Any, item: Any) -> dict[str, Any]:
    described = {"kind": type(item).__name__, **vars(item)}
    if isinstance(item, Merge):
        del described["merge"]
        described["content"] = run_as_root(host, f"cat {item.path}", timeout_seconds=60).stdout
    return described


if __name__ == "__main__":
    main(*sys.argv[1:])
