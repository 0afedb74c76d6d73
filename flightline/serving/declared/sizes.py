"""Engines held against their GPUs, by the model's own config.json or by the catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flightline import catalog, project
from flightline.catalog import Gpu
from flightline.errors import FlightlineError
from flightline.plan.sizing import shape
from flightline.plan.sizing.beside import MOST, share_of, side_by_side
from flightline.plan.sizing.config import Config
from flightline.plan.sizing.engines import Judgement, judged
from flightline.plan.sizing.shape import ModelShape
from flightline.serving.declared.node import Declared, Node


@dataclass
class Sizes:
    """Shapes that were read, so that a fleet reads a config.json once."""

    shapes: dict[str, ModelShape | str] = field(default_factory=dict)
    """By file or model; a text says why there is none."""

    def shape(self, engine: Declared) -> ModelShape | str:
        """Return the shape of an engine's model, or why it is unknown."""
        key = engine.config_file or f"model:{engine.model}"
        if key not in self.shapes:
            self.shapes[key] = _shape(engine)
        return self.shapes[key]


def problems(node: Node, known: Sizes) -> Iterator[str]:
    """Yield why engines do not fit their GPUs."""
    for engine in node.engines:
        found = known.shape(engine)
        if engine.config_file and isinstance(found, str):
            yield f"{engine.name}: EngineSettings.config_file: {found.rstrip('.')}"
        for each in _judged(node, engine, known).problems:
            yield f"{engine.name}: {engine.model} {each}"
    yield from _crowded(node, known)


def warnings(node: Node, known: Sizes) -> Iterator[str]:
    """Yield what sizing could not judge, and what it finds unwise."""
    for engine in node.engines:
        # Of an engine on the CPU only the note says so: there is nothing to be declared.
        for each in _judged(node, engine, known).warnings if engine.gpus else ():
            yield f"{engine.name}: {each}"


def notes(node: Node, known: Sizes) -> Iterator[str]:
    """Yield whether a new version of each service can be started beside the old one."""
    for engine in node.entrances:
        found = known.shape(engine)
        beside = side_by_side(
            engine, engine, _gpu(node), found if isinstance(found, ModelShape) else None
        )
        can = {True: "can", False: "cannot", None: "are not known to be able to"}[beside.can]
        yield f"{engine.name}: old and new version {can} stand side by side: {beside.sentence}"


def _judged(node: Node, engine: Declared, known: Sizes) -> Judgement:
    gpu, found = _gpu(node), known.shape(engine)
    if not engine.gpus:
        why = "it runs on the CPU, and the node's memory is not declared"
    elif node.has_mig:
        why = "its GPUs are divided by MIG"
    elif gpu is None:
        why = "the node's GPU is not declared (NvidiaSettings.gpu_model)"
    elif isinstance(found, str):
        why = "its config.json cannot be used" if engine.config_file else found
    else:
        return judged(engine, found, gpu)
    return Judgement(warnings=(f"whether it fits is not judged: {why}",))


def _gpu(node: Node) -> Gpu | None:
    """A GPU as engines have it: whole, and known."""
    try:
        return catalog.gpu(node.gpu_model) if node.gpu_model and not node.has_mig else None
    except FlightlineError:  # the GPU's own role says so
        return None


def _shape(engine: Declared) -> ModelShape | str:
    """Read the model's config.json; without one, take the catalog's model of just that name."""
    try:
        if engine.config_file:
            return shape.from_file(_path(engine.config_file))
        published = {each.id: each for each in catalog.models()}.get(engine.model)
        if published:
            return shape.of(Config(published.config, f"catalog model {published.id}"))
    except FlightlineError as error:
        return error.message
    return "name its config.json in EngineSettings.config_file"


def _path(text: str) -> Path:
    path = Path(text).expanduser()
    return path if path.is_absolute() else project.root() / path


def _crowded(node: Node, known: Sizes) -> Iterator[str]:
    """Services that share a GPU must have room together."""
    users: dict[int, list[Declared]] = defaultdict(list)
    for engine in node.engines:
        for index in engine.gpus:
            users[index].append(engine)
    shared = {index: engines for index, engines in sorted(users.items()) if len(engines) > 1}
    sharing = {each.name: each for engines in shared.values() for each in engines}
    parts = {
        name: share_of(each, _gpu(node), _judged(node, each, known).fit) or 0.0  # 0: unknown
        for name, each in sharing.items()
    }
    for index, engines in shared.items():
        taken = {each.name: parts[each.name] for each in engines if parts[each.name]}
        total = sum(taken.values())
        if len(taken) > 1 and total > MOST:
            names = " + ".join(f"{name} {part:.3g}" for name, part in taken.items())
            yield (
                f"GPU {index} is shared and would be taken {total:.3g} times ({names}), at most "
                f"{MOST:g} can be; lower memory_utilization"
            )
