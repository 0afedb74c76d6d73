"""Connections to the nodes of an inventory, for whoever needs them: plan, apply, audit."""

from __future__ import annotations

import flightline.converge.patched  # isort: skip  # noqa: F401 - first, for its effect

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import gevent
from pyinfra.api.host import Host
from pyinfra.api.state import State

from flightline import project
from flightline.converge import inside
from flightline.converge.declarations import check_declarations
from flightline.converge.sentences import missing, unmatched, without_hosts
from flightline.errors import FlightlineError

T = TypeVar("T")


class Session:
    """The connected hosts of an inventory, and why the others are not."""

    def __init__(self, state: State, chosen: list[Host]) -> None:
        self.state = state
        self.chosen = chosen
        self.hosts: list[Host] = []
        self.failed: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Session({len(self.hosts)} connected, {len(self.failed)} failed)"

    def open(self) -> None:
        """Connect to all chosen hosts at once; the ones that fail are named in `failed`."""
        outcome = self._all(_connected, self.chosen)
        for host in self.chosen:
            trouble = outcome[host.name]
            if isinstance(trouble, BaseException):
                self.failed[host.name] = str(trouble) or type(trouble).__name__
            else:
                self.hosts.append(host)

    def close(self) -> None:
        """Disconnect from all hosts; what fails while closing is of no interest any more."""
        self._all(lambda host: host.disconnect(), self.hosts)

    def data(self, host: Host, key: str) -> Any:
        """Return a value of the host's data, None where there is none."""
        return host.data.get(key)

    def map(self, function: Callable[[Host], T]) -> dict[str, T | BaseException]:
        """Run the function on all connected hosts at once; return result or exception by name."""
        return self._all(function, self.hosts)

    def _all(
        self, function: Callable[[Host], T], hosts: list[Host]
    ) -> dict[str, T | BaseException]:
        running = {host.name: self.state.pool.spawn(_result, function, host) for host in hosts}
        gevent.joinall(list(running.values()))
        return {name: greenlet.value for name, greenlet in running.items()}


def _result(function: Callable[[Host], T], host: Host) -> T | BaseException:
    try:
        return function(host)
    except Exception as error:  # noqa: BLE001 - one node's trouble is that node's result
        return error


def _connected(host: Host) -> None:
    host.connect(show_errors=False, raise_exceptions=True)


@contextmanager
def connect(
    inventory_path: str | Path, limit: str | Iterable[str] | None = None
) -> Iterator[Session]:
    """Load the inventory, connect to its hosts at once, disconnect at the end.

    `limit` is a comma-separated text or several names, groups or globs. Raises FlightlineError for
    bad input; a host that cannot be reached is in `failed`, not an error.
    """
    session = opened(inventory_path, limit)
    try:
        session.open()
        yield session
    finally:
        session.close()


def opened(
    inventory_path: str | Path,
    limit: str | Iterable[str] | None = None,
    *,
    check_for_changes: bool = True,
) -> Session:
    """Return a session with the inventory's hosts chosen and nothing connected yet."""
    name = found(str(inventory_path))
    state = inside.loaded(name, check_for_changes=check_for_changes)
    if not len(state.inventory):
        raise FlightlineError(without_hosts(name))
    session = Session(state, _limited(name, state, limit))
    check_declarations(session.chosen)
    return session


def _limited(name: str, state: State, limit: str | Iterable[str] | None) -> list[Host]:
    texts = [limit] if isinstance(limit, str) else list(limit or ())
    patterns = [part for text in texts for part in text.split(",") if part]
    if not patterns:
        return list(state.inventory)
    for pattern in patterns:
        if not inside.chosen(state.inventory, [pattern]):
            raise FlightlineError(unmatched(pattern, name, state.inventory))
    return inside.chosen(state.inventory, patterns)


def found(inventory: str) -> str:
    """Return the inventory's path as seen from the project's root, and change into the root.

    Raises FlightlineError naming the inventories that there are.
    """
    given = Path(inventory)
    absolute = given.resolve() if given.is_file() else None
    root = project.enter()
    if absolute:
        return os.path.relpath(absolute, root) if absolute.is_relative_to(root) else str(absolute)
    if given.is_file() or "@" in inventory or "," in inventory:
        return inventory
    raise FlightlineError(missing(inventory))
