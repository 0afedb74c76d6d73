"""What must hold of the GPUs that engines have."""

from __future__ import annotations

from itertools import combinations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, not_applicable
from roles.inference import evidence
from roles.inference.container_checks import RESTART, STATES, pairs
from roles.inference.records import Container, Live
from roles.inference.settings import InferenceSettings

PRESENT = (*STATES, "inference-containers-present")


@check(
    "inference-gpus-declared",
    "every engine has the GPUs that are declared, and sees as many",
    severity=CRITICAL,
    remedy=RESTART,
    depends=PRESENT,
)
def gpus_declared(host: Host, settings: InferenceSettings) -> None:
    """What docker was asked for, and the devices in the container."""
    found = evidence.docked(host, settings)
    _refuse_none(settings)
    wrong = []
    for slot, container in pairs(found, settings):
        declared = {str(gpu) for gpu in slot.engine.gpus}
        if container.gpus != declared:
            wrong.append(f"{slot.name} has GPU {_told(container.gpus)}, not {_told(declared)}")
        seen = found.processes.get((slot.name, "gpus"), "0")
        if int(seen) != len(declared):
            wrong.append(f"{slot.name} sees {seen} devices, expected {len(declared)}")
    assert not wrong, f"{'; '.join(wrong)} (EngineSettings.gpus)"


@check(
    "inference-gpus-unshared",
    "no GPU is given to two engines, or to another container, by accident",
    severity=ERROR,
    remedy="stop the other container, or say share_gpus=True for both services",
    depends=(*STATES, "inference-gpus-declared"),
)
def gpus_unshared(host: Host, settings: InferenceSettings) -> None:
    """Whatever else is there takes memory that the engine counts on."""
    found = evidence.docked(host, settings)
    _refuse_none(settings)
    shared = [
        f"GPU {_told(one.gpus & another.gpus or {'all'})} is with {one.name} and {another.name}"
        for one, another in combinations(_with_gpus(found), 2)
        if (one.slot or another.slot)
        and _overlap(one.gpus, another.gpus)
        and not _by_consent(one.slot, another.slot, settings)
    ]
    assert not shared, f"{'; '.join(shared)}, expected each with one (EngineSettings.share_gpus)"


def _with_gpus(found: Live) -> list[Container]:
    return [each for each in found.containers if each.is_running and each.gpus]


def _overlap(one: frozenset[str], another: frozenset[str]) -> bool:
    return bool(one & another) or "all" in one | another


def _by_consent(one: str, another: str, settings: InferenceSettings) -> bool:
    """The slots of one service share by design; services, where both say so."""
    if one[:-2] == another[:-2]:
        return True
    sharing = {each.name for each in settings.engines if each.share_gpus}
    return {one[:-2], another[:-2]} <= sharing


def _refuse_none(settings: InferenceSettings) -> None:
    if not any(each.gpus for each in settings.engines):
        not_applicable("no engine is declared with a GPU (EngineSettings.gpus)")


def _told(gpus: set[str] | frozenset[str]) -> str:
    return ", ".join(sorted(gpus)) or "none"
