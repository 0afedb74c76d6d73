"""Whether two engines can stand on the same GPUs at once, as a switch of versions wants it."""

from __future__ import annotations

from dataclasses import dataclass

from flightline.catalog.model import Gpu
from flightline.plan.sizing.engines import Engine, Judgement, judged
from flightline.plan.sizing.fit import GIB, Fit
from flightline.plan.sizing.shape import ModelShape
from flightline.plan.sizing.shares import SHARES, share

MOST = 0.98
"""Share of a GPU's memory that all engines together may take: each has a CUDA context that grows a
little beyond its share, and an engine refuses to start where less is free than it is to take."""


@dataclass(frozen=True)
class SideBySide:
    """Whether old and new can run at once."""

    can: bool | None
    """None: not judged."""
    sentence: str


def side_by_side(
    old: Engine,
    new: Engine,
    gpu: Gpu | None = None,
    shape: ModelShape | None = None,
    new_shape: ModelShape | None = None,
) -> SideBySide:
    """Return whether the new engine can be started while the old one serves.

    Their shares of each common GPU must have room together, and within its share each must fit:
    weights, cache and overhead. Without a GPU or a shape, only the shares are judged that are known
    without. `new_shape` is that of the new version; None: the same.
    """
    common = sorted(set(old.gpus) & set(new.gpus))
    if not common:
        return _apart(old, new)
    both = ((old, shape), (new, new_shape or shape))
    found = [judged(engine, model, gpu) if gpu and model else Judgement() for engine, model in both]
    shares = [
        share_of(engine, gpu, each.fit) for (engine, _), each in zip(both, found, strict=True)
    ]
    if shares[0] is None or shares[1] is None:
        return SideBySide(None, _unknown(old if shares[0] is None else new))
    if shares[0] + shares[1] > MOST:
        return SideBySide(False, _crowded(common, shares[0], shares[1]) + _advice(old, new))
    problems = [problem for each in found for problem in each.problems]
    if problems:
        return SideBySide(False, problems[0])
    return SideBySide(True, _roomy(common, shares[0], shares[1], is_judged=bool(gpu and shape)))


def share_of(engine: Engine, gpu: Gpu | None, fit: Fit | None) -> float | None:
    """Return the share of its GPUs that an engine takes; None where that is unknown."""
    memory = gpu.memory.value if gpu else None
    return share(engine, memory, fit.weights_on_gpu / GIB if fit else None)


def _unknown(engine: Engine) -> str:
    told = f"what {engine.engine} takes of a GPU is not known"
    if engine.engine not in SHARES:
        return told
    return f"{told} without the GPU's and the model's sizes (gpu_model, config_file)"


def _apart(old: Engine, new: Engine) -> SideBySide:
    if old.gpus or new.gpus:
        return SideBySide(True, "old and new have different GPUs")
    return SideBySide(None, "both run on the CPU, and the node's memory is not declared")


def _crowded(common: list[int], old: float, new: float) -> str:
    return (
        f"old and new would take {old:.3g} + {new:.3g} of GPU {_listed(common)}, at most {MOST:g} "
        "can be taken: a switch goes node by node, or with downtime"
    )


def _advice(old: Engine, new: Engine) -> str:
    """Where the setting is the share, half of the GPU each."""
    if share(old) is None or share(new) is None:
        return ""
    return f"; with memory_utilization of at most {MOST / 2:g} each they could stand side by side"


def _roomy(common: list[int], old: float, new: float, *, is_judged: bool) -> str:
    also = "" if is_judged else "; whether the model fits its share is not judged"
    return f"old and new take {old:.3g} + {new:.3g} of GPU {_listed(common)}{also}"


def _listed(gpus: list[int]) -> str:
    if len(gpus) > 2 and gpus == list(range(gpus[0], gpus[-1] + 1)):
        return f"{gpus[0]} to {gpus[-1]}"
    return ", ".join(map(str, gpus))
