"""Which version each slot of a service holds, and which slot serves: a file on the node.

The declaration says which versions a node has; which one it serves is changed by `flightline model
switch`, and a converge keeps it. A service without a state is fresh: slot a takes the declared
version.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from flightline.errors import FlightlineError
from flightline.serving.layout import Letter, other
from flightline.settings import Settings

SCHEMA = "flightline.serving/1"


class Switching(Settings):
    """A switch under way: enough to go on with it, or to undo it."""

    to: str
    """The version that is to serve."""

    mode: str
    """side-by-side, node-by-node or downtime."""

    step: str
    """The step that was begun last; a repetition of it does no harm."""

    weight: int = 0
    """Percent of the requests that the new version takes."""

    canary: tuple[int, ...] = ()
    """The percents that it is to take, one after the other, up to 100."""

    hold_seconds: float = 0
    """How long each of them is watched."""

    keep_standby: bool = True
    """Whether the version before stays ready in its slot when the switch is done."""

    began: str = ""
    """UTC, ISO 8601."""

    services: tuple[str, ...] = ()
    """Keys of all services of the switch, in turn; (): written before these were remembered."""


class ServiceState(Settings):
    """What the slots of a service hold."""

    model: str
    active: Letter
    """The slot that serves."""

    a: str | None = None
    """Version in slot a; None: the slot is empty and its unit is off."""

    b: str | None = None
    """Version in slot b."""

    switching: Switching | None = None
    """None: nothing is under way. The slot that is not active then holds a standby, if anything."""

    def version(self, letter: Letter) -> str | None:
        """Return the version in a slot."""
        return self.a if letter == "a" else self.b

    @property
    def serving(self) -> str | None:
        """The version that serves."""
        return self.version(self.active)

    @property
    def standby(self) -> str | None:
        """The version in the other slot."""
        return self.version(other(self.active))


def fresh(model: str, version: str) -> ServiceState:
    """Return the state of a service that has never served."""
    return ServiceState(model=model, active="a", a=version)


def dumps(state: ServiceState) -> str:
    """Return the file's content; the same state gives the same text."""
    return json.dumps({"schema": SCHEMA, **state.to_json()}, indent=1, sort_keys=True) + "\n"


def loads(text: str, path: str) -> ServiceState:
    """Return the state that a file holds.

    Raises FlightlineError, naming the path, for anything else.
    """
    try:
        fields: dict[str, Any] = json.loads(text)
        return ServiceState(**_of_schema(fields))
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        ValidationError,
        FlightlineError,
    ) as error:
        raise FlightlineError(
            f"{path} is not a service's state ({error}); move it away to begin anew with the "
            "declared version."
        ) from None


def _of_schema(fields: dict[str, Any]) -> dict[str, Any]:
    if fields.pop("schema") != SCHEMA:
        raise ValueError(f"its schema is not {SCHEMA}")
    return fields
