"""The gateway's keys: the project's hashes as a map of HAProxy, and the program that loads it."""

from __future__ import annotations

from pathlib import Path

from flightline import project
from flightline.operations.bundle import File, Hook, Item
from flightline.serving import keys, keys_map, layout
from flightline.templates import render
from roles.gateway.settings import GatewaySettings

PROGRAM = layout.GATEWAY_KEYS_LOAD
PACKAGES = ("socat",)
"""What the program needs; the same name on every distribution."""


def items(settings: GatewaySettings) -> tuple[Item, ...]:
    """Return the program and the map of the keys that are active now.

    A missing keys file is one without keys. Raises FlightlineError for one that cannot be used.
    """
    program = render(
        f"gateway{PROGRAM}.j2",
        keys=layout.GATEWAY_KEYS,
        socket=layout.GATEWAY_SOCKET,
        unit=layout.GATEWAY_UNIT,
        end=keys_map.END,
    )
    return (
        File(PROGRAM, program, mode="755", validate="sh -n {staged}"),
        File(layout.GATEWAY_KEYS, keys_map.rendered(declared(settings), keys.now()), mode="600"),
    )


def hooks() -> tuple[Hook, ...]:
    """Return what makes a running gateway honour the map; one that starts later reads the file."""
    return (Hook(PROGRAM, (layout.GATEWAY_KEYS,)),)


def declared(settings: GatewaySettings) -> tuple[keys.Key, ...]:
    """Return the keys of the project's file; none where there is no file."""
    try:
        return keys.read(path(settings))
    except FileNotFoundError:
        return ()


def path(settings: GatewaySettings) -> Path:
    """Return where the keys file of these settings is, on this computer."""
    return project.root() / settings.keys_file
