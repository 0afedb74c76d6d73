"""What must hold of services: states, units, answers; containers and exposure by topic beside."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable
from flightline.serving import layout
from flightline.serving.state import ServiceState
from roles.inference import container_checks, evidence, exposure_checks, gpu_checks
from roles.inference.settings import InferenceSettings

__all__ = ["container_checks", "exposure_checks", "gpu_checks"]

APPLY = "run `flightline apply --role inference`"
LOGS = "`journalctl -u flightline-engine@SLOT` says why; see docs/runbooks/inference.md"
STATES = ("inference-states-readable",)
ACTIVE = (*STATES, "inference-units-active")
ANSWERS = (*ACTIVE, "inference-health-answers")


@check(
    "inference-states-readable",
    "every service has a state that says which version it serves",
    severity=CRITICAL,
    remedy=f"{APPLY}; a state that cannot be read has to be moved away first",
)
def states_readable(host: Host, settings: InferenceSettings) -> None:
    """Without it an engine does not start again: nobody could say which version."""
    found = evidence.live(host, settings)
    wrong = []
    for engine in settings.engines:
        path, held = f"{layout.STATES}/{engine.name}.json", found.states.get(engine.name)
        if not isinstance(held, ServiceState):
            wrong.append(held or f"{path} is not there.")
        elif held.model != engine.model:
            wrong.append(f"{path} is of {held.model}, expected {engine.model}.")
        elif held.serving is None:
            wrong.append(f"{path} has no version for slot {held.active}, which serves.")
    assert not wrong, f"{' '.join(wrong)} (EngineSettings.model)"


@check(
    "inference-units-active",
    "every slot with a version runs and is ready",
    severity=CRITICAL,
    remedy=LOGS,
    depends=STATES,
)
def units_active(host: Host, settings: InferenceSettings) -> None:
    """A unit is active once its engine has answered its health path."""
    found = evidence.live(host, settings)
    wrong = []
    for slot in evidence.running(found, settings):
        unit = found.units.get(slot.name)
        if unit is None or unit.active != "active":
            state = unit.active if unit else "not known to systemd"
            wrong.append(f"{layout.unit(slot.name)} is {state}")
    assert not wrong, f"{', '.join(wrong)}, expected active (InferenceSettings.engines)"


@check(
    "inference-units-enabled",
    "every slot with a version starts at boot, and no other",
    severity=ERROR,
    remedy=APPLY,
    depends=STATES,
)
def units_enabled(host: Host, settings: InferenceSettings) -> None:
    """After a power cut nobody is there to start an engine."""
    found = evidence.live(host, settings)
    wanted = {slot.name for slot in evidence.running(found, settings)}
    enabled = {slot for slot, unit in found.units.items() if unit.enabled == "enabled"}
    lacking, surplus = sorted(wanted - enabled), sorted(enabled - wanted)
    assert not lacking, f"{', '.join(lacking)} does not start at boot, expected it to"
    assert not surplus, f"{', '.join(surplus)} starts at boot without a version to run"


@check(
    "inference-health-answers",
    "every engine answers 200 on its health path",
    severity=CRITICAL,
    remedy=LOGS,
    depends=ACTIVE,
)
def health_answers(host: Host, settings: InferenceSettings) -> None:
    """Asked on loopback, as the gateway asks."""
    found = evidence.docked(host, settings)
    slots = [slot for slot in evidence.running(found, settings) if not slot.place.rank]
    if not slots:
        not_applicable("only followers of engines over several nodes run here")
    wrong = [
        f"{slot.name} answers {found.health.get(slot.name, '000')} to {slot.health_url}"
        for slot in slots
        if found.health.get(slot.name) != "200"
    ]
    assert not wrong, f"{', '.join(wrong)}, expected 200 (EngineSettings.engine)"


@check(
    "inference-models-named",
    "every engine serves its model under the declared name",
    severity=CRITICAL,
    remedy=f"{APPLY} with InferenceSettings.restart_allowed=True",
    depends=ANSWERS,
)
def models_named(host: Host, settings: InferenceSettings) -> None:
    """Another name is a client's 404, and may be another model."""
    found = evidence.docked(host, settings)
    slots = [
        slot
        for slot in evidence.running(found, settings)
        if slot.engine.kind.names_model and slot.engine.frontend == "openai" and not slot.place.rank
    ]
    if not slots:
        not_applicable("no engine here shows the declared name on GET /v1/models")
    wrong = [
        f"{slot.name} serves {', '.join(found.models.get(slot.name, ())) or 'no model'}, expected "
        f"{slot.engine.model}"
        for slot in slots
        if slot.engine.model not in found.models.get(slot.name, ())
    ]
    assert not wrong, f"{'; '.join(wrong)} (EngineSettings.model)"


@check(
    "inference-versions-current",
    "the link `current` of every model is the version that serves",
    severity=ERROR,
    remedy="`flightline model switch` to that version, or set the link back by hand",
    depends=STATES,
)
def versions_current(host: Host, settings: InferenceSettings) -> None:
    """Tools that look at the store would otherwise speak of another version than clients get."""
    found = evidence.live(host, settings)
    serving: dict[str, set[str]] = {}
    for engine in settings.engines:
        held = found.states.get(engine.name)
        if isinstance(held, ServiceState) and held.serving and not held.switching:
            serving.setdefault(engine.model, set()).add(held.serving)
    wrong = [
        f"{model}/current is {found.links.get(model, 'missing')}, expected "
        f"{' or '.join(sorted(versions))}"
        for model, versions in serving.items()
        if found.links.get(model) not in versions
    ]
    assert not wrong, f"{'; '.join(wrong)} ({layout.STATES})"


@check(
    "inference-manifests-verified",
    "every version that an engine runs was found to be as its manifest says",
    severity=CRITICAL,
    remedy="`flightline model verify`; it names the file that is not",
    depends=STATES,
)
def manifests_verified(host: Host, settings: InferenceSettings) -> None:
    """The record of the last verification; an engine's start makes it anew."""
    found = evidence.live(host, settings)
    wrong = [
        f"{slot.engine.model} {version} of {slot.name}"
        for slot in evidence.running(found, settings)
        if (version := evidence.version(found, slot.engine, slot.letter))
        and (slot.engine.model, version) not in found.verified
    ]
    assert not wrong, f"{', '.join(wrong)} has no record of a verification, expected one"


@check(
    "inference-switch-finished",
    "no switch of a model was left half way",
    severity=WARNING,
    remedy="`flightline model switch ... --resume` goes on with it, `--undo` takes it back",
    depends=STATES,
)
def switch_finished(host: Host, settings: InferenceSettings) -> None:
    """Two versions answer while it lasts, and a converge is refused."""
    found = evidence.live(host, settings)
    left = [
        f"{name} is at step {held.switching.step} of its switch to {held.switching.to}"
        for name, held in found.states.items()
        if isinstance(held, ServiceState) and held.switching
    ]
    assert not left, f"{', '.join(left)}, expected no switch under way"


@check(
    "inference-restarts-none",
    "no engine had to be started again since it was started",
    severity=WARNING,
    remedy=f"{LOGS}, then `systemctl reset-failed` the unit",
    depends=ACTIVE,
)
def restarts_none(host: Host, settings: InferenceSettings) -> None:
    """systemd counts automatic restarts; each cut what was under way."""
    found = evidence.live(host, settings)
    wrong = [
        f"{slot.name} was restarted {unit.restarts} times"
        for slot in evidence.running(found, settings)
        if (unit := found.units.get(slot.name)) and unit.restarts
    ]
    assert not wrong, f"{', '.join(wrong)}, expected 0"
