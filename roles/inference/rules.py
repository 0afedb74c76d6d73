"""What cannot work, in one sentence with the remedy: of one engine, and of a node's engines. Pure.

Only declarations are judged: what a node has is judged when it is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from flightline.serving.layout import LETTERS, side_ports, slot_port
from roles.inference.arguments import argument_problem, environment_problem

if TYPE_CHECKING:
    from roles.inference.settings import EngineSettings

_IMAGE = re.compile(
    r"([a-z0-9-]+\.[a-z0-9.-]+|[a-z0-9.-]+:[0-9]+|localhost)(:[0-9]+)?"
    r"(/[a-z0-9]+([._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}"
)
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,94}")
_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PATH = re.compile(r"(/[A-Za-z0-9._@+-]+)+")

_ONE_LIMIT = frozenset({"vllm", "tgi"})
_GPU_ONLY = frozenset({"tensorrt_llm"})


def engine_problem(engine: EngineSettings) -> str | None:
    """Return what is wrong with one service; None when nothing is."""
    for rule in _RULES:
        if problem := rule(engine):
            return f"{engine.name}: {problem}"
    return None


def node_problem(engines: Sequence[EngineSettings]) -> str | None:
    """Return what is wrong between the services of a node; None when nothing is."""
    names = [each.name for each in engines]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        return f"two services are called {twice}; names are once on a node"
    for one, another in combinations(engines, 2):
        if problem := _between(one, another):
            return problem
    return None


def ports(engine: EngineSettings) -> Iterator[tuple[int, str]]:
    """Yield every loopback port that a service may use, with the field it comes from."""
    for field, first in (("port", engine.port), ("grpc_port", engine.grpc_port)):
        for letter in LETTERS if first is not None else ():
            yield slot_port(first or 0, letter), field
    if engine.side_port is not None:
        for port, _ in side_ports(engine.engine, engine.side_port):
            yield port, "side_port"


def _between(one: EngineSettings, another: EngineSettings) -> str | None:
    taken = dict(ports(one))
    for port, field in ports(another):
        if port in taken:
            return (
                f"{one.name} and {another.name} both use port {port} ({taken[port]}, {field}; each "
                "slot takes one); give them ports that are apart"
            )
    shared = sorted(set(one.gpus) & set(another.gpus))
    if shared and not (one.share_gpus and another.share_gpus):
        return (
            f"{one.name} and {another.name} both have GPU {', '.join(map(str, shared))}; give each "
            "its own, or say share_gpus=True for both and divide memory_utilization"
        )
    return None


def _image(engine: EngineSettings) -> str | None:
    if _IMAGE.fullmatch(engine.image):
        return None
    return (
        f"image is {engine.image}, expected REGISTRY/REPOSITORY@sha256:DIGEST: a tag may move; "
        "`skopeo inspect --format '{{.Digest}}' docker://IMAGE:TAG` prints the digest"
    )


def _lacking(engine: EngineSettings) -> str | None:
    lacks = sorted(engine.kind.lacks & engine.model_fields_set)
    given = [name for name in lacks if getattr(engine, name) not in (None, ())]
    if not given:
        return None
    return f"{engine.engine} has no option for {', '.join(given)}; leave it out"


def _ports(engine: EngineSettings) -> str | None:
    if engine.engine == "triton" and engine.frontend == "openai":
        if (engine.grpc_port is None) != (engine.side_port is None):
            return (
                "Triton's OpenAI frontend opens KServe's gRPC and HTTP together; set grpc_port "
                "and side_port, or neither"
            )
    elif engine.engine == "fastchat" and engine.side_port is None:
        return "FastChat's controller and worker need ports; set side_port, the first of four"
    used = [port for port, _ in ports(engine)]
    twice = next((port for port in used if used.count(port) > 1), None)
    if twice is None:
        return None
    return f"port {twice} is used twice, since each slot takes one; set ports apart"


def _gpus(engine: EngineSettings) -> str | None:
    if len(set(engine.gpus)) < len(engine.gpus) or any(gpu < 0 for gpu in engine.gpus):
        return f"gpus is {engine.gpus}, expected indexes from 0 up, each once"
    if not engine.gpus:
        return _on_cpu(engine)
    if "tensor_parallel" in engine.kind.lacks:
        return None
    total = len(engine.gpus) * max(len(engine.nodes), 1)
    stages = engine.pipeline_parallel or 1
    used = (engine.tensor_degree or 0) * stages
    if used == total:
        return None
    return (
        f"tensor_parallel x pipeline_parallel is {engine.tensor_degree} x {stages}, expected the "
        f"{total} GPUs that it has (gpus, nodes)"
    )


def _on_cpu(engine: EngineSettings) -> str | None:
    if engine.engine in _GPU_ONLY:
        return f"{engine.engine} runs on GPUs alone; name them in gpus"
    if (engine.tensor_parallel or 1) > 1 or (engine.pipeline_parallel or 1) > 1:
        return "tensor_parallel and pipeline_parallel split over GPUs; name them in gpus"
    if engine.share_gpus:
        return "share_gpus without gpus shares nothing; name them, or leave it out"
    return None


def _stages(engine: EngineSettings) -> str | None:
    if engine.pipeline_parallel and engine.engine in ("llamacpp", "triton", "tgi", "fastchat"):
        return f"{engine.engine} has no option for pipeline_parallel; leave it out"
    return None


def _nodes(engine: EngineSettings) -> str | None:
    if not engine.nodes:
        lonely = "rdma is for an engine over several nodes; name them in nodes"
        return lonely if engine.rdma else None
    if not engine.kind.spans_nodes:
        return (
            f"{engine.engine} does not spread over nodes by itself (TensorRT-LLM needs MPI to be "
            "started from outside); use vllm or sglang, or one node"
        )
    if len(set(engine.nodes)) < max(2, len(engine.nodes)):
        return f"nodes is {engine.nodes}, expected two or more, each once; leave it out for one"
    return None


def _names(engine: EngineSettings) -> str | None:
    names = (engine.model, *engine.aliases)
    wrong = [alias for alias in engine.aliases if not _ALIAS.fullmatch(alias)]
    if wrong:
        return f"alias {wrong[0]!r} is no name; use letters, digits and . _ / -"
    if len(set(names)) < len(names):
        return f"a name of {engine.model} is there twice (aliases); keep one of each"
    return None


def _queue(engine: EngineSettings) -> str | None:
    if engine.engine in _ONE_LIMIT and engine.queue_max and not engine.concurrency_max:
        return (
            f"{engine.engine} has one limit for what it answers and what waits; set "
            "concurrency_max too"
        )
    return None


def _secrets(engine: EngineSettings) -> str | None:
    for name, path in engine.secret_files.items():
        if not _SECRET_NAME.fullmatch(name):
            return f"secret_files has the name {name!r}; use letters, digits and . _ -"
        if not _PATH.fullmatch(path):
            return f"secret_files: {name} is {path!r}, expected the absolute path of a file"
    return None


_RULES: tuple[Callable[[EngineSettings], str | None], ...] = (
    _image,
    _lacking,
    _ports,
    _stages,
    _gpus,
    _nodes,
    _names,
    _queue,
    _secrets,
    lambda engine: argument_problem(
        engine.kind.owned, engine.extra_arguments, abbreviates=engine.kind.abbreviates
    ),
    lambda engine: environment_problem(engine.kind.environment, engine.environment),
)
