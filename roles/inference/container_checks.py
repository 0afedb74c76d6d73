"""What must hold of the role's containers: what they run, with which limits."""

from __future__ import annotations

from collections.abc import Iterator

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check
from flightline.serving import layout
from flightline.serving.state import ServiceState
from roles.inference import evidence
from roles.inference.container import LOG_FILES, Slot, command, is_read_only
from roles.inference.engines.kind import MODEL
from roles.inference.records import Container, Live
from roles.inference.settings import InferenceSettings

RESTART = "run `flightline apply --role inference` with InferenceSettings.restart_allowed=True"
STATES = ("inference-states-readable", "containers-docker-running")
ACTIVE = (*STATES, "inference-units-active")


def pairs(found: Live, settings: InferenceSettings) -> Iterator[tuple[Slot, Container]]:
    """Yield the slots that are to run and do, with their containers."""
    for slot in evidence.running(found, settings):
        container = found.ours.get(slot.name)
        if container is not None:
            yield slot, container


@check(
    "inference-containers-present",
    "every slot with a version has its container",
    severity=CRITICAL,
    remedy="`systemctl restart flightline-engine@SLOT`",
    depends=ACTIVE,
)
def containers_present(host: Host, settings: InferenceSettings) -> None:
    found = evidence.docked(host, settings)
    lacking = [
        layout.container(slot.name)
        for slot in evidence.running(found, settings)
        if slot.name not in found.ours
    ]
    assert not lacking, f"{', '.join(lacking)} does not run, expected it (InferenceSettings)"


@check(
    "inference-containers-image",
    "every engine that serves runs the image of the declared digest",
    severity=CRITICAL,
    remedy=RESTART,
    depends=(*STATES, "inference-containers-present"),
)
def containers_image(host: Host, settings: InferenceSettings) -> None:
    """The id of what runs against the id that docker has for the declared digest."""
    found = evidence.docked(host, settings)
    wrong = []
    for slot, container in pairs(found, settings):
        if not _serves(found, slot):
            continue
        declared = found.images.get(slot.engine.image)
        if declared is None:
            wrong.append(f"{slot.name}: {slot.engine.image} is not on the node")
        elif container.image != declared:
            wrong.append(f"{slot.name} runs {container.image}, expected {declared}")
    assert not wrong, f"{'; '.join(wrong)} (EngineSettings.image)"


@check(
    "inference-containers-arguments",
    "every engine runs with the declared arguments",
    severity=ERROR,
    remedy=RESTART,
    depends=(*STATES, "inference-containers-present"),
)
def containers_arguments(host: Host, settings: InferenceSettings) -> None:
    """What docker started, against what the settings come to."""
    found = evidence.docked(host, settings)
    wrong = []
    for slot, container in pairs(found, settings):
        declared = tuple(command(slot))
        if container.arguments != declared:
            wrong.append(f"{slot.name} runs with {_difference(container.arguments, declared)}")
    assert not wrong, f"{'; '.join(wrong)} (EngineSettings)"


def _difference(live: tuple[str, ...], declared: tuple[str, ...]) -> str:
    surplus = [word for word in live if word not in declared]
    lacking = [word for word in declared if word not in live]
    if surplus or lacking:
        return f"{' '.join(surplus) or 'nothing'}, expected {' '.join(lacking) or 'nothing'} there"
    return f"{' '.join(live)}, expected {' '.join(declared)}"


@check(
    "inference-versions-mounted",
    "every engine has the version that its service's state says",
    severity=CRITICAL,
    remedy="`systemctl restart flightline-engine@SLOT` when it may be away while it loads",
    depends=(*STATES, "inference-containers-present"),
)
def versions_mounted(host: Host, settings: InferenceSettings) -> None:
    """What the container sees at /model, against the state."""
    found = evidence.docked(host, settings)
    wrong = []
    for slot, container in pairs(found, settings):
        version = evidence.version(found, slot.engine, slot.letter) or ""
        expected = layout.version_folder(settings.store, slot.engine.model, version)
        sources = [mount["Source"] for mount in container.mounts if mount["Destination"] == MODEL]
        if sources != [expected]:
            wrong.append(f"{slot.name} serves {', '.join(sources) or 'nothing'}, not {expected}")
    assert not wrong, f"{'; '.join(wrong)} ({layout.STATES})"


@check(
    "inference-slots-consistent",
    "a standby runs the image of the slot that serves",
    severity=ERROR,
    remedy=RESTART,
    depends=(*STATES, "inference-containers-image"),
)
def slots_consistent(host: Host, settings: InferenceSettings) -> None:
    """A standby of another release would answer otherwise after a rollback."""
    found = evidence.docked(host, settings)
    serving = {
        slot.engine.name: container.image
        for slot, container in pairs(found, settings)
        if _serves(found, slot)
    }
    wrong = [
        f"{slot.name} runs {container.image}, expected {serving[slot.engine.name]}"
        for slot, container in pairs(found, settings)
        if container.image != serving.get(slot.engine.name, container.image)
    ]
    assert not wrong, f"{'; '.join(wrong)} (EngineSettings.image)"


def _serves(found: Live, slot: Slot) -> bool:
    held = found.states.get(slot.engine.name)
    return isinstance(held, ServiceState) and held.active == slot.letter


@check(
    "inference-containers-undeclared",
    "no engine runs that nobody declared",
    severity=ERROR,
    remedy=f"{RESTART}, which drains and removes it, or declare it",
    depends=STATES,
)
def containers_undeclared(host: Host, settings: InferenceSettings) -> None:
    """Whatever carries the role's label or names, and every unit that runs."""
    found = evidence.docked(host, settings)
    wanted = {slot.name for slot in evidence.running(found, settings)}
    up = {
        *(each.slot for each in found.containers if each.slot and each.is_running),
        *(slot for slot, unit in found.units.items() if unit.active == "active"),
    }
    surplus = sorted(up - wanted)
    assert not surplus, f"{', '.join(surplus)} runs, expected {', '.join(sorted(wanted))} alone"


@check(
    "inference-limits-memory",
    "every engine may lock memory without limit and has its shared memory",
    severity=ERROR,
    remedy=RESTART,
    depends=(*STATES, "inference-containers-present"),
)
def limits_memory(host: Host, settings: InferenceSettings) -> None:
    """The kernel's figures for the container's first process."""
    found = evidence.docked(host, settings)
    wrong = []
    for slot, _ in pairs(found, settings):
        locked = found.processes.get((slot.name, "memlock"))
        if locked != "unlimited":
            wrong.append(f"{slot.name} may lock {locked} bytes, expected unlimited")
        shared = int(found.processes.get((slot.name, "shm")) or 0)
        if shared != slot.engine.shm_gib * 1024**2:
            wrong.append(f"{slot.name} has {shared} KiB of /dev/shm")
    assert not wrong, f"{'; '.join(wrong)} (EngineSettings.shm_gib)"


@check(
    "inference-memory-killed",
    "no engine was killed for want of memory",
    severity=ERROR,
    remedy="look at `journalctl -k -g oom`; size the model anew with `flightline size`",
    depends=STATES,
)
def memory_killed(host: Host, settings: InferenceSettings) -> None:
    found = evidence.docked(host, settings)
    killed = [each.slot for each in found.containers if each.slot and each.state.get("OOMKilled")]
    assert not killed, f"the kernel killed a process of {', '.join(killed)} for want of memory"


@check(
    "inference-logs-bounded",
    "no engine's log can fill the disk",
    severity=WARNING,
    remedy=RESTART,
    depends=(*STATES, "inference-containers-present"),
)
def logs_bounded(host: Host, settings: InferenceSettings) -> None:
    found = evidence.docked(host, settings)
    declared = {"max-size": f"{settings.log_max_mib}m", "max-file": str(LOG_FILES)}
    wrong = []
    for slot, container in pairs(found, settings):
        log = container.host.get("LogConfig") or {}
        given = {name: (log.get("Config") or {}).get(name) for name in declared}
        if log.get("Type") not in ("local", "json-file") or given != declared:
            wrong.append(f"{slot.name} logs by {log.get('Type')} with {given}")
    assert not wrong, f"{'; '.join(wrong)}, expected {declared} (InferenceSettings.log_max_mib)"


@check(
    "inference-roots-readonly",
    "no engine can change the model it serves, nor its own program where it needs not",
    severity=ERROR,
    remedy=RESTART,
    depends=(*STATES, "inference-containers-present"),
)
def roots_readonly(host: Host, settings: InferenceSettings) -> None:
    found = evidence.docked(host, settings)
    wrong = []
    for slot, container in pairs(found, settings):
        writable = [
            mount["Destination"]
            for mount in container.mounts
            if mount["RW"] and mount["Destination"] == MODEL
        ]
        if is_read_only(slot.engine) and not container.host.get("ReadonlyRootfs"):
            writable.append("/")
        if writable:
            wrong.append(f"{slot.name} may write {', '.join(writable)}")
    assert not wrong, f"{'; '.join(wrong)}, expected read only (EngineSettings.read_only_root)"
