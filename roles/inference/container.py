"""What docker is told for a slot: pure; one argument a line on the node, so one line each here.

The version is not in it: engine-run reads it from the service's state and puts it where @version@
stands. So `flightline model switch` writes a state and starts a unit, and needs nothing else.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flightline.serving import layout
from flightline.serving.layout import Letter
from roles.inference.engines.kind import CACHE, MODEL, Place

if TYPE_CHECKING:
    from roles.inference.settings import EngineSettings, InferenceSettings

VERSION = "@version@"
CACHES = "/var/cache/flightline/engines"
LABEL = "flightline"
STACK_BYTES = 67_108_864
"""As NVIDIA's and SGLang's own compose files have it, with unlimited locked memory."""
OPEN_FILES = 65_536
"""vLLM warns where it cannot raise it so far (0.32, run 2026-11-20)."""
LOG_FILES = 5


@dataclass(frozen=True)
class Slot:
    """One slot of a declared service on a node."""

    node: InferenceSettings
    engine: EngineSettings
    letter: Letter
    place: Place

    @property
    def name(self) -> str:
        """The slot's name: chat-a."""
        return layout.slot(self.engine.name, self.letter)

    @property
    def health_url(self) -> str:
        """What answers 200 while the slot is ready; empty for a follower, which has no API."""
        if self.place.rank:
            return ""
        return f"http://127.0.0.1:{self.place.port}{self.engine.health_path}"

    @property
    def metrics_url(self) -> str:
        """Its Prometheus metrics; empty where it has none."""
        port = self.place.port
        if self.engine.engine == "triton" and self.engine.frontend == "kserve":
            port = self.place.side_port or 0
        path = self.engine.metrics_path
        return f"http://127.0.0.1:{port}{path}" if port and path and not self.place.rank else ""


def place(
    engine: EngineSettings,
    letter: Letter,
    rank: int = 0,
    leader_address: str | None = None,
    own_address: str | None = None,
) -> Place:
    """Return where a slot listens, and its part of an engine over several nodes."""
    return Place(
        layout.slot_port(engine.port, letter),
        engine.grpc_port and layout.slot_port(engine.grpc_port, letter),
        engine.side_port and layout.slot_port(engine.side_port, letter),
        rank, leader_address, own_address,
    )  # fmt: skip


def docker_arguments(slot: Slot) -> list[str]:
    """Return the arguments of `docker run`, from the name to the engine's own."""
    arguments = _arguments(slot)
    digest = hashlib.sha256("\n".join(arguments).encode()).hexdigest()
    return [f"--label={LABEL}.declaration={digest[:32]}", *arguments]


def declaration(slot: Slot) -> str:
    """Return the digest of what a slot is declared to run: the label of its container."""
    return docker_arguments(slot)[0].rpartition("=")[2]


def slot_environment(slot: Slot) -> str:
    """Return what engine-run needs to know of a slot, as lines that a shell reads."""
    values = {
        "service": slot.engine.name,
        "letter": slot.letter,
        "model": slot.engine.model,
        "store": slot.node.store,
        "health": slot.health_url,
        "metrics": slot.metrics_url,
        "busy": "|".join(slot.engine.kind.busy),
        "start_seconds": slot.engine.start_timeout_seconds,
        "drain_seconds": slot.engine.drain_seconds,
    }
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items())


def environment(slot: Slot) -> dict[str, str]:
    """Return the container's variables."""
    kind, engine = slot.engine.kind, slot.engine
    # An engine that meets its own processes over TCP does so on loopback, or on the nodes' network.
    address = slot.place.own_address if engine.nodes else "127.0.0.1"
    return {
        **kind.environment,
        "HOME": CACHE,
        "XDG_CACHE_HOME": f"{CACHE}/.cache",
        "USER": "engine",
        **({"VLLM_HOST_IP": str(address)} if engine.engine in ("vllm", "triton") else {}),
        **engine.environment,
    }


def command(slot: Slot) -> list[str]:
    """Return what the container runs: its entry point and the engine's arguments."""
    engine, kind = slot.engine, slot.engine.kind
    program = engine.program or kind.program[0]
    given = kind.arguments(engine, slot.place)
    return [program, *kind.program[1:], *given, *engine.extra_arguments]


def _arguments(slot: Slot) -> list[str]:
    node, engine = slot.node, slot.engine
    program, *rest = command(slot)
    return [
        f"--name={layout.container(slot.name)}",
        *_labels(slot),
        "--pull=never",
        "--restart=no",
        "--network=host",
        f"--user={user(engine)}",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        *_root(engine),
        f"--shm-size={engine.shm_gib}g",
        "--ulimit=memlock=-1:-1",
        f"--ulimit=stack={STACK_BYTES}:{STACK_BYTES}",
        f"--ulimit=nofile={OPEN_FILES}:{OPEN_FILES}",
        # What dockerd itself grants when the node shuts down; engine-run has its own clock.
        f"--stop-timeout={engine.drain_seconds + 10}",
        "--log-driver=local",
        f"--log-opt=max-size={node.log_max_mib}m",
        f"--log-opt=max-file={LOG_FILES}",
        *_mounts(slot),
        *(f"--env={name}={value}" for name, value in sorted(environment(slot).items())),
        *_gpus(node, engine),
        f"--entrypoint={program}",
        engine.image,
        *rest,
    ]


def _labels(slot: Slot) -> list[str]:
    labels = {
        "slot": slot.name,
        "service": slot.engine.name,
        "model": slot.engine.model,
        "version": VERSION,
        "rank": str(slot.place.rank),
        "leader": slot.place.leader_address or "",
        "address": slot.place.own_address or "",
    }
    return [f"--label={LABEL}.{name}={value}" for name, value in labels.items()]


def user(engine: EngineSettings) -> str:
    """Return the numeric user and group in the container."""
    return engine.user or engine.kind.user


def is_read_only(engine: EngineSettings) -> bool:
    """Whether the container's root cannot be written."""
    given = engine.read_only_root
    return engine.kind.read_only if given is None else given


def _root(engine: EngineSettings) -> list[str]:
    # Engines compile kernels into /tmp and load them from there.
    return ["--read-only", "--tmpfs=/tmp:rw,exec,nosuid,nodev"] if is_read_only(engine) else []


def _mounts(slot: Slot) -> list[str]:
    engine = slot.engine
    folder = layout.version_folder(slot.node.store, engine.model, VERSION)
    binds = [
        f"source={folder},target={MODEL},readonly",
        f"source={CACHES}/{slot.name},target={CACHE}",
        *(
            f"source={path},target=/run/secrets/{name},readonly"
            for name, path in sorted(engine.secret_files.items())
        ),
        *(["source=/etc/nccl.conf,target=/etc/nccl.conf,readonly"] if engine.rdma else []),
    ]
    return [f"--mount=type=bind,{bind}" for bind in binds]


def _gpus(node: InferenceSettings, engine: EngineSettings) -> list[str]:
    fabric = ["--device=/dev/infiniband"] if engine.rdma else []
    if not engine.gpus or node.gpu_injection == "cdi":
        # Images of CUDA say "all", which the runtime obeys where it is Docker's default.
        given = (f"--device=nvidia.com/gpu={gpu}" for gpu in engine.gpus)
        return ["--env=NVIDIA_VISIBLE_DEVICES=void", *given, *fabric]
    visible = ",".join(map(str, engine.gpus))
    return ["--runtime=nvidia", f"--env=NVIDIA_VISIBLE_DEVICES={visible}", *fabric]
