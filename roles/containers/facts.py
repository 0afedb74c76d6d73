"""What the engine on a node is and runs with: one remote command."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from roles.containers import gpus
from roles.containers.gpus import Gpus, parse_gpus
from roles.containers.networks import Route, parse_routes

NO_GPUS = parse_gpus("gpu-end=yes")


@dataclass(frozen=True)
class EngineState:
    """The engine as it is: its file, its unit, what it answers, and the networks around it."""

    file: str | None
    """The text of daemon.json; None where there is none."""
    active: bool
    """dockerd runs, or tries to."""
    stale: bool
    """daemon.json was written after dockerd read it last."""
    info: dict[str, Any]
    """What `docker info` answers; empty while dockerd does not run, or does not answer."""
    silent: bool
    """dockerd has started and does not answer: which containers run is not known."""
    shims: bool
    """Processes containerd-shim exist, one for each container or pod, whoever started it."""
    installed: tuple[str, ...]
    """Which of docker.io, docker-ce, containerd, containerd.io and runc are installed."""
    members: tuple[str, ...]
    """Members of the group docker, sorted."""
    routes: tuple[Route, ...]
    gpus: Gpus = NO_GPUS
    """What containers can have of the node's GPUs."""

    @property
    def running_containers(self) -> int:
        """How many containers dockerd says run; 0 while it does not run or is silent."""
        return int(self.info.get("ContainersRunning", 0))


def parse_state(text: str) -> EngineState:
    """Return the record that the output of gpu.sh and state.sh describes.

    One real line: `loaded=1763686800`. Raises ValueError when the text is cut short or damaged.
    """
    lines = [line.partition("=") for line in text.splitlines()]
    values: dict[str, list[str]] = {}
    for key, _, value in lines:
        values.setdefault(key, []).append(value)
    if "end" not in values:
        raise ValueError("the engine's description is cut short")

    def one(key: str) -> str:
        return values.get(key, [""])[0]

    loaded = max(map(int, values.get("loaded", [])), default=0)
    info = json.loads(one("info") or "{}")
    # Without an answer the client prints what it knows itself: no containers, and ServerErrors.
    info = {} if info.get("ServerErrors") else info
    active = one("active") in ("active", "activating", "reloading", "deactivating")
    return EngineState(
        file=_decoded(one("file")) if "file" in values else None,
        active=active,
        stale=active and "modified" in values and int(one("modified")) > loaded,
        info=info,
        silent="info" in values and not info,
        shims="shims" in values,
        installed=tuple(values.get("package", [])),
        members=tuple(sorted(filter(None, one("group").split(",")))),
        routes=parse_routes(one("routes")),
        gpus=parse_gpus(f"{text}\ngpu-end=yes"),  # the whole text has an end of its own
    )


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(f"daemon.json is not text: {error}") from error


class Engine(FactBase[EngineState | None]):
    """The engine's state; None when the node could not be asked."""

    def command(self) -> str:
        """Return the one script that asks everything."""
        return gpus.SCRIPT + Path(__file__).with_name("state.sh").read_text(encoding="utf-8")

    def process(self, output: list[str]) -> EngineState:
        """Return the record; raises FactProcessError when the output cannot be understood."""
        try:
            return parse_state("\n".join(output))
        except (ValueError, KeyError) as error:
            raise FactProcessError(f"the engine's description cannot be read: {error}") from error


class DataRootContent(FactBase[str | None]):
    """The first image, container or volume found in a data root; None when it holds none."""

    def command(self, data_root: str) -> str:
        """Return a search that ends at the first hit; a missing folder holds nothing."""
        root = quote(data_root)
        return (
            f"find {root}/containers {root}/volumes {root}/image/*/imagedb/content/sha256 "
            "-mindepth 1 -maxdepth 1 ! -name metadata.db ! -name backingFsBlockDev "
            "2>/dev/null | head -n 1"
        )

    def process(self, output: list[str]) -> str | None:
        """Return the path found, or None."""
        return next((line for line in output if line), None)
