"""The shell commands that pull images and start, restart, stop and remove engines: pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from flightline.serving import layout
from flightline.serving.layout import LETTERS
from roles.inference.container import CACHES, Slot
from roles.inference.settings import InferenceSettings

_GRACE_SECONDS = 600
"""Beyond a slot's own clock: the manifest's hashes are checked before it begins."""


def pull(settings: InferenceSettings, images: Sequence[str]) -> str:
    """Return the command that pulls the images, with what docker says of its progress."""
    config = settings.registry_config
    docker = f"docker --config {shlex.quote(config)}" if config else "docker"
    lines = [
        f"timeout -k 10 {settings.pull_timeout_seconds} {docker} pull {shlex.quote(image)} || "
        f"{{ echo {shlex.quote(_unpulled(image))} >&2; exit 1; }}"
        for image in images
    ]
    return "\n".join(lines)


def start(slots: Sequence[Slot]) -> str:
    """Return the command that starts the slots together and waits until each is ready."""
    units = shlex.join(layout.unit(slot.name) for slot in slots)
    return "\n".join(
        [
            _file("starting.sh"),
            f"systemctl --quiet enable {units} && systemctl --no-block start {units} || exit 1",
            *(_await(slot) for slot in slots),
        ]
    )


def restart(slot: Slot) -> str:
    """Return the command that drains and stops one slot, and waits until it is ready again."""
    unit = shlex.quote(layout.unit(slot.name))
    return "\n".join(
        [
            _file("starting.sh"),
            f"systemctl --quiet enable {unit} && systemctl stop {unit} && "
            f"systemctl --no-block start {unit} || exit 1",
            _await(slot),
        ]
    )


def stop(slots: Sequence[str]) -> str:
    """Return the command that drains the slots and keeps them off; their files stay."""
    return "\n".join(
        [_file("starting.sh"), *(f"off {shlex.quote(slot)} || exit" for slot in slots)]
    )


def remove(service: str) -> str:
    """Return the command that drains a service and leaves nothing of it but its model."""
    slots = [layout.slot(service, letter) for letter in LETTERS]
    paths = [
        *(f"{folder}/{slot}" for folder in (layout.ENGINES, CACHES) for slot in slots),
        f"{layout.STATES}/{service}.json",
    ]
    return f"{stop(slots)}\nrm -rf -- {shlex.join(paths)}"


def _await(slot: Slot) -> str:
    limit = slot.engine.start_timeout_seconds + _GRACE_SECONDS
    return f"await_ready {shlex.quote(slot.name)} {limit} || exit 1"


def _unpulled(image: str) -> str:
    return (
        f"{image} was not pulled (EngineSettings.image); see docker's own words above, the mirror "
        "(ContainersSettings.registry_mirrors) and InferenceSettings.registry_config."
    )


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
