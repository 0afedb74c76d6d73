"""How a node's engines are, as one script says it; plain parsing, no pyinfra."""

from __future__ import annotations

import base64
import binascii
import json
import shlex
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from testinfra.host import Host

from flightline.audit.check import not_applicable, unknown
from flightline.errors import FlightlineError
from flightline.serving import layout, state
from flightline.serving.layout import LETTERS, Letter
from flightline.serving.state import ServiceState
from roles.inference.container import Slot, place
from roles.inference.engines import Place
from roles.inference.records import Container, Live, Unit
from roles.inference.rules import ports
from roles.inference.settings import EngineSettings, InferenceSettings

_GPU = "nvidia.com/gpu="


def script(settings: InferenceSettings) -> str:
    """Return the one command; the same for the same settings."""
    slots = "\n".join(
        f"{layout.slot(each.name, letter)} {layout.slot_port(each.port, letter)} {each.health_path}"
        for each in settings.engines
        for letter in LETTERS
    )
    numbers = sorted({port for each in settings.engines for port, _ in ports(each)})
    values = {
        "slots": slots,
        "images": " ".join(sorted({each.image for each in settings.engines})),
        "links": "\n".join(sorted({f"{settings.store} {each.model}" for each in settings.engines})),
        "ports": "|".join(map(str, numbers)),
    }
    given = "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
    return f"{given}\n{_text()}"


def live(host: Host, settings: InferenceSettings) -> Live:
    """Return what the node says; ends the check as not applicable without a declared engine."""
    if not settings.engines:
        not_applicable("InferenceSettings.engines is empty")
    try:
        return parsed(host.run(script(settings)).stdout)
    except ValueError as error:
        unknown(f"{error}.")


def docked(host: Host, settings: InferenceSettings) -> Live:
    """Return the same; ends the check as unknown while dockerd does not answer."""
    found = live(host, settings)
    if not found.has_docker:
        unknown("dockerd does not answer, so nobody can say what its containers are.")
    return found


@lru_cache(maxsize=16)
def parsed(text: str) -> Live:
    """Return the record; most checks of an audit ask for it."""
    return parse_live(text)


def running(found: Live, settings: InferenceSettings) -> tuple[Slot, ...]:
    """Return the slots that are to run: those for which a state names a version."""
    return tuple(
        Slot(settings, engine, letter, _place(found, engine, letter))
        for engine in settings.engines
        for letter in LETTERS
        if version(found, engine, letter) is not None
    )


def version(found: Live, engine: EngineSettings, letter: Letter) -> str | None:
    """Return the version that a slot is to have; None: it is off, or the state cannot be read."""
    held = found.states.get(engine.name)
    return held.version(letter) if isinstance(held, ServiceState) else None


def _place(found: Live, engine: EngineSettings, letter: Letter) -> Place:
    """As declared; the part of an engine over several nodes as its container says."""
    container = found.ours.get(layout.slot(engine.name, letter))
    labels = container.labels if container else {}
    part = [labels.get(f"flightline.{name}") or None for name in ("leader", "address")]
    return place(engine, letter, int(labels.get("flightline.rank") or 0), *part)


def parse_live(text: str) -> Live:
    """Return what the script printed.

    Real lines: `container /flightline-chat-a true 4711 chat-a`, `health chat-a 200` (Docker 20.10).
    Raises ValueError when the end is missing or a line is damaged.
    """
    lines = [line.partition(" ")[::2] for line in text.splitlines()]
    if ("end", "") not in lines:
        raise ValueError("the engines' description is cut short")
    rows = {
        key: [rest.split() for name, rest in lines if name == key]
        for key in (
            "state", "unit", "declared", "listens", "link", "verified", "health", "models",
            "process",
        )
    }  # fmt: skip
    return Live(
        has_docker=("docker", "here") in lines,
        states={row[0]: _state(*row) for row in rows["state"]},
        units={_slot(row[0]): _unit(row[1:]) for row in rows["unit"]},
        containers=_containers(lines),
        images={row[0]: row[1] for row in rows["declared"] if len(row) == 2},
        listening=tuple(row[0] for row in rows["listens"]),
        links={row[0]: row[1] for row in rows["link"] if len(row) == 2},
        verified=frozenset((row[0], row[1]) for row in rows["verified"]),
        health={row[0]: row[1] for row in rows["health"]},
        models={row[0]: _names(row[1:]) for row in rows["models"]},
        processes={(row[0], row[1]): " ".join(row[2:]) for row in rows["process"]},
    )


def _containers(lines: Sequence[tuple[str, str]]) -> tuple[Container, ...]:
    blocks: list[list[tuple[str, str]]] = []
    for key, rest in lines:
        if key == "container":
            blocks.append([])
        if blocks:
            blocks[-1].append((key, rest))
    return tuple(map(_container, blocks))


def _container(block: list[tuple[str, str]]) -> Container:
    values = dict(block)
    name, running, _, slot = values["container"].split()
    variables = [rest.partition("=")[::2] for key, rest in block if key == "env"]
    given = [rest for key, rest in block if key in ("entry", "argument")]
    environment = dict(variables)
    return Container(
        name=name.removeprefix("/"),
        slot="" if slot == "-" else slot,
        is_running=running == "true",
        gpus=_gpus(json.loads(values.get("gpus", "null")), values.get("runtime"), environment),
        labels=json.loads(values.get("labels", "{}")),
        host=json.loads(values.get("host", "{}")),
        state=json.loads(values.get("status", "{}")),
        mounts=tuple(json.loads(values.get("mounts", "[]"))),
        image=values.get("image", ""),
        arguments=tuple(given),
        environment=environment,
    )


def _gpus(
    requests: list[dict[str, Any]] | None, runtime: str | None, environment: Mapping[str, str]
) -> frozenset[str]:
    """GPUs given by CDI, by `--gpus device=N`, or by the variable that NVIDIA's runtime reads."""
    given = [each for request in requests or () for each in request.get("DeviceIDs") or ()]
    if any(request.get("Count") == -1 for request in requests or ()):
        given.append("all")
    visible = environment.get("NVIDIA_VISIBLE_DEVICES", "")
    if runtime == "nvidia" and visible not in ("", "void", "none"):
        given += visible.split(",")
    return frozenset(each.removeprefix(_GPU) for each in given)


def _slot(unit: str) -> str:
    return unit.removeprefix("flightline-engine@").removesuffix(".service")


def _unit(words: Sequence[str]) -> Unit:
    values = dict(word.split("=", 1) for word in words)
    restarts = int(values.get("NRestarts") or 0)
    return Unit(values.get("ActiveState", ""), values.get("UnitFileState", ""), restarts)


def _state(service: str, coded: str) -> ServiceState | str:
    path = f"{layout.STATES}/{service}.json"
    try:
        return state.loads(base64.b64decode(coded, validate=True).decode(), path)
    except FlightlineError as error:
        return error.message
    except (binascii.Error, UnicodeDecodeError):
        return f"{path} is not text."


def _names(coded: Sequence[str]) -> tuple[str, ...]:
    try:
        told = json.loads(base64.b64decode("".join(coded)).decode())
        return tuple(str(each["id"]) for each in told["data"])
    except (ValueError, KeyError, TypeError):
        return ()


def _text() -> str:
    return Path(__file__).with_name("live.sh").read_text(encoding="utf-8")
