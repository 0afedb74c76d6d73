"""Engines as a sound node shows them; written for these tests, in the shape of Docker 28.

Two services: `chat`, vLLM on every GPU but the last, version 2 in slot b after a switch and 1 ready
as a standby; `small`, llama.cpp on the CPU.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from flightline.audit.answers import Answer
from flightline.serving import layout, state
from flightline.serving.state import ServiceState
from roles.inference import evidence
from roles.inference.container import Slot, command, environment, is_read_only, place
from roles.inference.settings import EngineSettings, InferenceSettings
from tests.machines.models import BUILDS

_IDS = {"vllm": f"sha256:{'1' * 64}", "llamacpp": f"sha256:{'2' * 64}"}
_HELD = {
    "chat": ServiceState(model="llama", active="b", a="1", b="2"),
    "small": state.fresh("tiny", "7"),
}


def settings(name: str) -> InferenceSettings:
    """Return what is declared for a machine."""
    count = max(len(BUILDS[name].addresses) - 1, 1) if name in BUILDS else 1
    return InferenceSettings(
        engines=(
            EngineSettings(
                name="chat",
                image=f"registry.example.org/vllm@sha256:{'a' * 64}",
                model="llama",
                aliases=("default",),
                port=18_000,
                gpus=tuple(range(count)),
                context_tokens=32_768,
                memory_utilization=0.42,
            ),
            EngineSettings(
                name="small",
                engine="llamacpp",
                image=f"registry.example.org/llama-server@sha256:{'b' * 64}",
                model="tiny",
                port=18_010,
                shm_gib=1,
            ),
        )
    )


def answers(name: str) -> dict[str, Answer]:
    """Return the answers of a machine by label."""
    declared = settings(name)
    printed = text(declared, _HELD).encode()
    return {"inference": Answer(evidence.script(declared), 0, printed)}


def text(declared: InferenceSettings, held: dict[str, ServiceState]) -> str:
    """Return what the role's script prints on a node that is as declared."""
    slots = [
        Slot(declared, engine, letter, place(engine, letter))
        for engine in declared.engines
        for letter in layout.LETTERS
        if held[engine.name].version(letter)
    ]
    lines = [
        *(f"state {name} {_coded(state.dumps(each))}" for name, each in held.items()),
        *(
            f"unit {layout.unit(slot.name)} NRestarts=0 ActiveState=active UnitFileState=enabled"
            for slot in slots
        ),
        *(f"listens 127.0.0.1:{slot.place.port}" for slot in slots),
        *(f"link {each.model} {each.serving}" for each in held.values()),
        *(f"verified {slot.engine.model} {_version(held, slot)}" for slot in slots),
        "docker here",
        *(line for slot in slots for line in _container(slot, _version(held, slot))),
        "container /exporter true 999 -",
        "gpus null",
        "runtime runc",
        *(line for slot in slots for line in _process(slot)),
        *(f"declared {each.image} {_IDS[each.engine]}" for each in declared.engines),
        *(line for slot in slots for line in _answer(slot)),
        "end",
    ]
    return "\n".join([*lines, ""])


def _version(held: dict[str, ServiceState], slot: Slot) -> str:
    return held[slot.engine.name].version(slot.letter) or ""


def _container(slot: Slot, version: str) -> list[str]:
    engine = slot.engine
    program, *rest = command(slot)
    shown = ("HF_", "TRANSFORMERS_", "VLLM_NO_", "DO_NOT_", "NVIDIA_VISIBLE_")
    variables = {**environment(slot), "NVIDIA_VISIBLE_DEVICES": "void", "PATH": "/usr/bin"}
    return [
        f"container /{layout.container(slot.name)} true {slot.place.port} {slot.name}",
        f"gpus {json.dumps(_requests(engine))}",
        "runtime runc",
        *(
            f"env {key}={value}" if key.startswith(shown) else f"env {key}"
            for key, value in variables.items()
        ),
        f"labels {json.dumps(_labels(slot, version))}",
        f"host {json.dumps(_host(slot))}",
        f"status {json.dumps({'Status': 'running', 'Running': True, 'OOMKilled': False})}",
        f"image {_IDS[engine.engine]}",
        f"mounts {json.dumps(_mounts(slot, version))}",
        f"entry {program}",
        *(f"argument {word}" for word in rest),
    ]


def _requests(engine: EngineSettings) -> list[dict[str, Any]] | None:
    if not engine.gpus:
        return None
    devices = [f"nvidia.com/gpu={gpu}" for gpu in engine.gpus]
    return [{"Driver": "cdi", "Count": 0, "DeviceIDs": devices, "Capabilities": None}]


def _labels(slot: Slot, version: str) -> dict[str, str]:
    return {
        "flightline.rank": "0",
        "flightline.service": slot.engine.name,
        "flightline.slot": slot.name,
        "flightline.version": version,
    }


def _host(slot: Slot) -> dict[str, Any]:
    return {
        "NetworkMode": "host",
        "Privileged": False,
        "CapAdd": None,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "PidMode": "",
        "ReadonlyRootfs": is_read_only(slot.engine),
        "ShmSize": slot.engine.shm_gib * 1024**3,
        "LogConfig": {"Type": "local", "Config": {"max-file": "5", "max-size": "50m"}},
    }


def _mounts(slot: Slot, version: str) -> list[dict[str, Any]]:
    model = layout.version_folder(slot.node.store, slot.engine.model, version)
    cache = f"/var/cache/flightline/engines/{slot.name}"
    return [
        {"Type": "bind", "Source": model, "Destination": "/model", "RW": False},
        {"Type": "bind", "Source": cache, "Destination": "/cache", "RW": True},
    ]


def _process(slot: Slot) -> list[str]:
    figures = {
        "memlock": "unlimited",
        "shm": slot.engine.shm_gib * 1024**2,
        "gpus": len(slot.engine.gpus),
    }
    return [f"process {slot.name} {what} {figure}" for what, figure in figures.items()]


def _answer(slot: Slot) -> list[str]:
    names = (slot.engine.model, *slot.engine.aliases)
    listed = json.dumps({"object": "list", "data": [{"id": each} for each in names]})
    return [f"health {slot.name} 200", f"models {slot.name} {_coded(listed)}"]


def _coded(plain: str) -> str:
    return base64.b64encode(plain.encode()).decode()
