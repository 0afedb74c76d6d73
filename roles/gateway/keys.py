"""The gateway's keys: the project's hashes as a map of HAProxy, and the program that loads it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from flightline import project
from flightline.errors import NodeRefused
from flightline.operations.bundle import File, Hook, Item, Merge
from flightline.serving import keys, keys_map, layout
from flightline.templates import render
from roles.gateway.settings import GatewaySettings

PROGRAM = layout.GATEWAY_KEYS_LOAD
PACKAGES = ("socat",)
"""What the program needs; the same name on every distribution."""


def items(settings: GatewaySettings) -> tuple[Item, ...]:
    """Return the program and the map of the keys that are active now.

    A missing keys file is one without keys. Raises FlightlineError for one that cannot be used.
    What the node has and the file never had stays: only `flightline key` takes a key away.
    """
    program = render(
        f"gateway{PROGRAM}.j2",
        keys=layout.GATEWAY_KEYS,
        socket=layout.GATEWAY_SOCKET,
        state=layout.GATEWAY_STATE,
        unit=layout.GATEWAY_UNIT,
        end=keys_map.END,
    )
    known = declared(settings)
    return (
        File(PROGRAM, program, mode="755", validate="sh -n {staged}"),
        Merge(
            layout.GATEWAY_KEYS,
            partial(merged, path(settings), known),
            mode="600",
            # what was revoked since the node was read stays so
            validate=f"[ ! -x {PROGRAM} ] || {PROGRAM} fits {{staged}}",
        ),
    )


def merged(file: Path, known: tuple[keys.Key, ...], current: str | None) -> str:
    """Return the map of the known keys; what was revoked on the node stays so.

    Raises NodeRefused where the file is an older one: the node honours a key that it never had, or
    it honours one that was revoked on the node.
    """
    there, moment = current or "", keys.now()
    hashes = {each.sha256 for each in known}
    if strange := sorted(
        name for sha256, name in keys_map.honoured(there).items() if sha256 not in hashes
    ):
        raise NodeRefused(
            f"clients use {_listed(strange)} here, which {file} does not have "
            f"(GatewaySettings.keys_file){'' if file.exists() else ', as it is not there'}; bring "
            "the newest one, or have `flightline key push` revoke what it lacks."
        )
    ended = keys_map.revoked(there)
    if revived := sorted(
        each.name for each in known if each.state(moment) == "active" and each.sha256 in ended
    ):
        raise NodeRefused(
            f"{_listed(revived)} was revoked here, and {file} would honour it again "
            "(GatewaySettings.keys_file): it is an older copy; bring the newest one."
        )
    return keys_map.rendered(known, moment, ended)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")


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
