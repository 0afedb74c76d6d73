"""Side by side, node by node or with downtime: which one, and the arithmetic; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flightline.plan.sizing.beside import side_by_side
from flightline.plan.sizing.shares import share
from flightline.serving.switch.engines import Look
from flightline.serving.switch.node import Refused
from flightline.serving.switch.steps import Mode
from flightline.serving.switch.targets import Service, Targets

FACTOR = 1.2
"""An engine needs more than its weights: KV cache, activations, buffers. An assumption of ours; the
gates see what it misses."""
MARGIN_KIB = 512 * 1024
"""What a program needs besides, and the rest of the node. llama-server itself took 26 MB (Debian
sid, a model of 0.9 MB, measured 2026-11-20)."""


@dataclass(frozen=True)
class Decision:
    """The mode, and why; a sentence for each service."""

    mode: Mode
    why: tuple[str, ...]


@dataclass(frozen=True)
class Wish:
    """What the person allowed or asked for."""

    downtime: bool = False
    node_by_node: bool = False


def decide(
    targets: Targets, services: Sequence[Service], looks: Mapping[str, Look], wish: Wish
) -> Decision:
    """Return how the services can be switched; raises Refused, with the arithmetic, if not."""
    judged = [beside(each, looks[each.key]) for each in services]
    why = tuple(sentence for _, sentence in judged)
    if all(fits for fits, _ in judged) and not wish.node_by_node:
        return Decision(Mode.SIDE_BY_SIDE, why)
    lonely = [each.node for each in targets.gateways if len(each.services) < 2]
    if not lonely:
        return Decision(Mode.NODE_BY_NODE, why)
    alone = f"the gateway on {lonely[0]} has one service of {targets.model} only"
    if wish.downtime:
        return Decision(Mode.DOWNTIME, (*why, alone))
    raise Refused(
        f"{targets.model} cannot be switched without downtime: {'; '.join(why)}; {alone}. Announce "
        "a downtime and say --downtime (requests are answered 503 with Retry-After meanwhile), or "
        "serve the model on another node as well."
    )


def beside(service: Service, look: Look) -> tuple[bool, str]:
    """Tell whether a second engine fits beside the one that runs, and why, in a sentence."""
    if look.is_up:
        return True, f"{service.node}: {service.name} has the version as its standby, which runs"
    gpus = tuple(getattr(service.engine, "gpus", ()) or ())
    return _on_gpus(service, look, gpus) if gpus else _in_memory(service, look)


def _in_memory(service: Service, look: Look) -> tuple[bool, str]:
    needed = round(look.size_kib * FACTOR) + MARGIN_KIB
    fits = look.memory_kib >= needed
    # the kernel may end either engine where memory runs out: the standby's room is no promise
    hint = "; --retire frees what its standby takes" if look.has_standby and not fits else ""
    return fits, (
        f"{service.node}: a second {service.name} {'fits' if fits else 'does not fit'} in memory: "
        f"{_gib(look.size_kib)} of weights x {FACTOR} + {_gib(MARGIN_KIB)} = {_gib(needed)} "
        f"needed, {_gib(look.memory_kib)} available{hint}"
    )


def _on_gpus(service: Service, look: Look, gpus: Sequence[int]) -> tuple[bool, str]:
    """Judge what is declared, by the planner, then what is free now, by nvidia-smi."""
    planned = side_by_side(service.engine, service.engine)
    if planned.can is False:
        return False, f"{service.node}: {service.name}: {planned.sentence}"
    if look.has_standby:  # a start that fails there takes nothing from the engine that serves
        return True, f"{service.node}: {service.name}: its standby ends first, and leaves its room"
    judged = [_on_gpu(service, look, gpu, len(gpus)) for gpu in gpus]
    worst = next((each for each in judged if not each[0]), judged[0])
    return all(fits for fits, _ in judged), worst[1]


def _on_gpu(service: Service, look: Look, gpu: int, gpus: int) -> tuple[bool, str]:
    if gpu not in look.gpus:
        return False, f"{service.node}: nvidia-smi does not tell the memory of GPU {gpu}"
    total, free = (each * 1024 for each in look.gpus[gpu])
    taken = share(service.engine, total / 1024**2, look.size_kib / gpus / 1024**2)
    if taken is None:  # it takes what the model needs, and no share
        weights = round(look.size_kib * FACTOR / gpus)
        needed, sums = weights + MARGIN_KIB, f"{_gib(weights)} of weights + {_gib(MARGIN_KIB)}"
    else:
        needed, sums = round(total * taken), f"{taken:.3g} of {_gib(total)}"
    fits = free >= needed
    return fits, (
        f"{service.node}: a second {service.name} {'fits' if fits else 'does not fit'} on GPU "
        f"{gpu}: {sums} = {_gib(needed)} needed, {_gib(free)} free"
    )


def _gib(kib: int) -> str:
    return f"{kib / 1024**2:.1f} GiB"
