"""Commands on a node that runs an engine, and what they answer.

Nodes have dash, coreutils, systemd and curl; nothing else is needed here.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flightline.serving import layout
from flightline.serving.layout import LETTERS, Letter
from flightline.serving.switch.targets import Service

ENGINE_SLOT = f"{layout.PROGRAMS}/engine-slot"
"""`engine-slot SERVICE LETTER VERSION` fails unless the slot's unit, started now, would run the
version: what a slot runs is declared, and its version is read from the state at each start."""
_STATE = "state"


def state_path(service: str) -> str:
    """Return where a service's state is on its node."""
    return f"{layout.STATES}/{service}.json"


@dataclass(frozen=True)
class Look:
    """What a node says of a service before anything is changed."""

    state: str
    """The state's file; "" where there is none."""
    units: Mapping[Letter, str]
    """What systemd says of each slot's unit: active, activating, inactive, failed."""
    memory_kib: int
    """Memory that new programs can have (MemAvailable)."""
    size_kib: int
    """What the new version's files take."""
    has_image: bool
    has_version: bool
    gpus: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Total and free MiB of each GPU by index."""
    is_up: bool = False
    """Whether the new version runs already, as a standby."""
    has_standby: bool = False
    """Whether a third version runs in the slot that the new one takes; it ends first."""


def look(service: Service, store: str, version: str) -> str:
    """Return the command that prints what `parse_look` reads."""
    folder = layout.version_folder(store, service.upstream.model, version)
    units = "; ".join(
        f"echo unit-{letter} $(systemctl is-active {service.unit(letter)})" for letter in LETTERS
    )
    return (
        f"{units}; "
        'awk \'$1 == "MemAvailable:" {print "memory", $2}\' /proc/meminfo; '
        f"[ -s {folder}/manifest.json ] && echo version yes; "
        f"echo size $(du -skL {folder} 2>/dev/null | cut -f1); "
        f"docker image inspect --format image {shlex.quote(service.image)} 2>/dev/null; "
        "nvidia-smi --query-gpu=index,memory.total,memory.free --format=csv,noheader,nounits "
        "2>/dev/null | tr -d , | sed 's/^/gpu /'; "
        f"echo {_STATE}; cat {state_path(service.name)} 2>/dev/null; true"
    )


def parse_look(output: str) -> Look:
    """Return what the node said."""
    head, _, state = output.partition(f"\n{_STATE}\n")
    rows = [line.split() for line in head.splitlines()]
    known = {row[0]: row[1] for row in rows if len(row) > 1}
    return Look(
        state=state,
        units={letter: known.get(f"unit-{letter}", "unknown") for letter in LETTERS},
        memory_kib=int(known.get("memory", "0")),
        size_kib=int(known.get("size", "0")),
        has_image=["image"] in rows,
        has_version="version" in known,
        gpus={
            int(row[1]): (int(row[2]), int(row[3]))
            for row in rows
            if row[0:1] == ["gpu"] and all(part.isdigit() for part in row[1:4]) and len(row) > 3
        },
    )


def read_state(service: str) -> str:
    """Return the command that prints a service's state."""
    return f"cat {state_path(service)}"


def write_state(service: str) -> str:
    """Return the command that puts standard input in place of a service's state, whole or not."""
    path = state_path(service)
    return (
        f"umask 022; new=$(mktemp {layout.STATES}/.{service}.XXXXXX) && "
        f'cat >"$new" && chmod 644 "$new" && sync "$new" && mv -f "$new" {path} && '
        f"sync {layout.STATES}"
    )


def verify(store: str, model: str, version: str) -> str:
    """Return the command that hashes the files of a version."""
    return f"{layout.MODEL_VERIFY} {store} {model} {version}"


def prepare(service: Service, letter: Letter, version: str) -> str:
    """Return the command that fails unless a slot, started now, would run a version."""
    return f"{ENGINE_SLOT} {service.name} {letter} {version}"


def start(service: Service, letter: Letter) -> str:
    """Return the command that starts a slot's engine now and at each boot; it does not wait."""
    unit = service.unit(letter)
    return (
        f"systemctl reset-failed {unit} 2>/dev/null; "
        f"systemctl enable --quiet {unit} && systemctl start --no-block {unit}"
    )


def stop(service: Service, letter: Letter) -> str:
    """Return the command that ends a slot's engine, and keeps it off at the next boot."""
    unit = service.unit(letter)
    return f"systemctl disable --quiet {unit} && systemctl stop {unit}"


def ready(service: Service, letter: Letter) -> str:
    """Return the command that prints the unit's state, its restarts, and the health's status."""
    url = f"http://127.0.0.1:{service.port(letter)}{service.upstream.health_path}"
    return (
        f"echo $(systemctl is-active {service.unit(letter)}) "
        f"$(systemctl show --property=NRestarts --value {service.unit(letter)}) "
        f"$(curl -s -o /dev/null -w '%{{http_code}}' --max-time 5 {url})"
    )


def link(store: str, model: str, version: str) -> str:
    """Return the command that makes `current` the version, in one rename."""
    folder, current = f"{store}/{model}", layout.current_link(store, model)
    staged = f"{folder}/.current"  # as model-fetch names it: nothing that could be a version
    return f"ln -sfn {version} {staged} && mv -Tf {staged} {current} && sync {folder}"


def journal(service: Service, letter: Letter) -> str:
    """Return the command that prints the end of what a slot's engine wrote."""
    return f"journalctl --no-pager -o short-iso -n 200 -u {service.unit(letter)}"


def chat(port: int, max_seconds: float) -> str:
    """Return the command that posts standard input to an engine.

    It prints the answer, then a line with the status and the seconds that it took.
    """
    return (
        f"curl -sS --max-time {max_seconds:g} -H 'content-type: application/json' "
        f"--data-binary @- -w '\\n%{{http_code}} %{{time_total}}\\n' "
        f"http://127.0.0.1:{port}/v1/chat/completions"
    )


def chat_body(model: str, prompt: str, max_tokens: int, **more: Any) -> str:
    """Return a chat request that is answered the same each time, as far as the engine can."""
    fields = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
        **more,
    }
    return json.dumps(fields)
