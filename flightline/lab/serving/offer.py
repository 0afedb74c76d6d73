"""What the lab offers its nodes to serve with: one record, written atomically."""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flightline.errors import FlightlineError
from flightline.lab import machine, places

HOST_SEEN_BY_NODES = "10.0.2.2"
"""This computer's loopback, as QEMU's user network shows it (`-netdev user`)."""


@dataclass(frozen=True)
class Daemon:
    """A program that serves on 127.0.0.1."""

    port: int
    pid: int = 0
    started: int | None = None
    """When the process started, in clock ticks since this computer's boot."""

    @property
    def is_running(self) -> bool:
        """Whether that very process runs."""
        return machine.is_running(self.pid, self.started)

    @property
    def seen_by_nodes(self) -> str:
        """HOST:PORT as a lab node asks for it."""
        return f"{HOST_SEEN_BY_NODES}:{self.port}"


@dataclass(frozen=True)
class Offer:
    """A registry with an engine's image, and a mirror with the versions of a model."""

    registry: Daemon
    mirror: Daemon
    repository: str
    """The image's name in the registry."""
    digest: str
    """sha256:... of the image's manifest."""
    model: str
    versions: dict[str, str]
    """Version → sha256 of its manifest.json."""

    @property
    def image(self) -> str:
        """The engine's image as a node pulls it, pinned."""
        return f"{self.registry.seen_by_nodes}/{self.repository}@{self.digest}"

    @property
    def is_running(self) -> bool:
        """Whether registry and mirror both run."""
        return self.registry.is_running and self.mirror.is_running

    @property
    def authority_folder(self) -> Path:
        """The folder of the authority that signs the lab's certificates."""
        return places.state() / "authority"

    @property
    def keys_file(self) -> Path:
        """The file of the lab's API keys: hashes."""
        return places.state() / "keys.yaml"

    def source(self, version: str) -> str:
        """Return the address that a node fetches a version of the model from."""
        return f"http://{self.mirror.seen_by_nodes}/{self.model}/{version}"


def offered() -> Offer | None:
    """Return what `flightline lab serve` offers, running or not; None where it never did."""
    path = record()
    if not path.exists():
        return None
    try:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        registry, mirror = (Daemon(**fields.pop(name)) for name in ("registry", "mirror"))
        return Offer(registry=registry, mirror=mirror, **fields)
    except (ValueError, KeyError, TypeError) as error:
        raise FlightlineError(
            f"{path} is not the record of an offer ({error}); remove it and run "
            "`flightline lab serve`."
        ) from None


def write(offer: Offer) -> None:
    """Record the offer."""
    places.write_atomically(record(), json.dumps(dataclasses.asdict(offer), indent=1))


def forget() -> None:
    """Hold that nothing is kept: neither the record nor images, models, authority and keys."""
    record().unlink(missing_ok=True)
    (places.state() / "keys.yaml").unlink(missing_ok=True)
    for path in (places.state() / "authority", folder()):
        shutil.rmtree(path, ignore_errors=True)


def record() -> Path:
    """Return the record's file."""
    return places.state() / "serving.json"


def folder() -> Path:
    """Return where registry, mirror and their logs keep what they have; made."""
    path = places.state() / "serving"
    path.mkdir(exist_ok=True, mode=0o700)
    return path
