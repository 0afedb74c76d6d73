"""What must hold of the engines behind the gateway: health, weights, drains."""

from __future__ import annotations

from collections.abc import Iterator

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable
from roles.gateway.evidence import Report, Slot, report
from roles.gateway.settings import GatewaySettings

RUNS = ("gateway-unit-active",)
CTL = "/usr/local/lib/flightline/gateway-ctl"


@check(
    "gateway-models-served",
    "every model has an engine that is ready and takes requests",
    severity=CRITICAL,
    remedy="`journalctl -u 'flightline-engine@*'` on the node of the engine; see "
    "docs/runbooks/gateway.md#gateway-models-served",
    depends=(*RUNS, "gateway-weights-declared"),
)
def models_served(host: Host, settings: GatewaySettings) -> None:
    found = report(host, settings)
    slots = found.slots("live")
    if not slots:
        not_applicable("the gateway has no model: no engine of the inventory is within its reach")
    ready = {
        f"{words[0]}/{words[1]}"
        for words in map(str.split, found.all("server"))
        if words[2:3] and words[2] in ("UP", "DRAIN", "no")
    }
    served = {
        each.backend for each in slots.values() if each.takes_requests and each.label in ready
    }
    lacking = sorted({each.backend for each in slots.values()} - served)
    assert not lacking, f"{', '.join(lacking)} has no server that is up, expected at least one"


@check(
    "gateway-weights-declared",
    "requests go to the slots that serve, and no drain was forgotten",
    severity=ERROR,
    remedy=f"`{CTL} 'set server BACKEND/SERVER state ready' 'set weight BACKEND/SERVER 100'`, or "
    "`flightline model switch`, which goes on where it was left",
    depends=RUNS,
)
def weights_declared(host: Host, settings: GatewaySettings) -> None:
    found = report(host, settings)
    if not found.slots("live"):
        not_applicable("the gateway has no model: no engine of the inventory is within its reach")
    wrong = [*_own(found), *_idle(found)]
    assert not wrong, f"{'; '.join(wrong)}"


def _own(found: Report) -> Iterator[str]:
    """Slots of this node against its services' states; a switch under way is left alone."""
    states = {words[0]: words[1:] for words in map(str.split, found.all("service")) if words[1:]}
    for slot in found.slots("live").values():
        service, _, letter = slot.name.rpartition(".")[2].rpartition("-")
        active, *switching = states.get(service, [""])
        if not active or switching or slot.address != "127.0.0.1":
            continue
        if letter == active and not slot.takes_requests:
            yield f"{slot.label} takes no requests (weight {slot.weight}), and its slot serves"
        if letter != active and slot.takes_requests:
            yield f"{slot.label} takes requests (weight {slot.weight}), and slot {active} serves"


def _idle(found: Report) -> Iterator[str]:
    """Services of which neither slot takes requests, on whichever node."""
    states = {words[0]: words[2:] for words in map(str.split, found.all("service"))}
    pairs: dict[str, list[Slot]] = {}
    for slot in found.slots("live").values():
        pairs.setdefault(slot.label[:-2], []).append(slot)
    for service, slots in pairs.items():
        is_own = all(each.address == "127.0.0.1" for each in slots)
        if is_own and service.rpartition(".")[2] in states:
            continue
        if not any(each.takes_requests for each in slots):
            yield f"neither slot of {service} takes requests, expected one to"


@check(
    "gateway-state-saved",
    "weights and drains are on disk, for the next reload and the next boot",
    severity=ERROR,
    remedy=f"`{CTL} save`; whoever commands HAProxy goes through gateway-ctl",
    depends=RUNS,
)
def state_saved(host: Host, settings: GatewaySettings) -> None:
    found = report(host, settings)
    live, saved = found.slots("live"), found.slots("saved")
    wrong = [
        f"{label} (weight {slot.weight}{', drained' if slot.is_drained else ''})"
        for label, slot in live.items()
        if not _is_kept(slot, saved.get(label))
    ]
    assert not wrong, (
        f"not saved as it is now: {', '.join(wrong)}; expected servers.state to have it"
    )


def _is_kept(live: Slot, saved: Slot | None) -> bool:
    """Whether a start would bring the server back as it is."""
    if saved is None:
        return live.weight == live.first_weight and not live.is_drained
    return (live.weight, live.is_drained) == (saved.weight, saved.is_drained)


@check(
    "gateway-tables-there",
    "keys' counters are kept",
    severity=WARNING,
    remedy="run `flightline apply --role gateway`",
    depends=(*RUNS, "gateway-config-running"),
)
def tables_there(host: Host, settings: GatewaySettings) -> None:
    found = report(host, settings)
    if not settings.public:
        not_applicable("GatewaySettings.public is False: no client enters here")
    lacking = sorted({"per_minute", "per_day"} - set(found.all("table")))
    assert not lacking, (
        f"HAProxy has no table {', '.join(lacking)}, expected it: limits count there"
    )
