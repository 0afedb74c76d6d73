"""The reboot operation."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import UTC, datetime

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from flightline.operations.reboot.command import Reboot
from flightline.operations.reboot.need import RECORD, Intent, Need, RebootNeed, probe_key
from flightline.operations.refusal import Refusal
from flightline.reboot import RebootProbe, RebootSettings


@operation()
def reboot_when_needed(
    settings: RebootSettings, probes: Sequence[RebootProbe]
) -> Generator[StringCommand]:
    """No probe asks for a reboot; where one did, the node was rebooted once, and is back.

    + settings: whether a reboot is allowed, and how long it may take
    + probes: the reasons, each judged on the live node

    One remote command when nothing is due. A node that asks for what it was just rebooted for, one
    that does not come back in time, and one that may not be rebooted fail with a sentence; the
    others go on. What is due is known only once the changes before this operation are made: a plan
    shows what is due now.
    """
    if not probes:
        host.noop("no role can ask for a reboot")
        return
    need = host.get_fact(RebootNeed, probes=tuple(probe.command for probe in probes))
    if need is None:
        yield Refusal("could not say whether a reboot is due.")
        return
    due = [probes[number] for number in need.due]
    refusal = _refusal(settings, need, due)
    if refusal:
        yield Refusal(refusal)
    elif due:
        yield Reboot(_intent(need, due), tuple(probes), settings.timeout_seconds)
    elif need.intent:
        yield StringCommand("rm", "-f", RECORD)  # an interrupted run's reboot did what it was for
    else:
        host.noop("no reboot is due")


def _refusal(settings: RebootSettings, need: Need, due: Sequence[RebootProbe]) -> str:
    again = [probe for probe in due if need.has_rebooted_for(probe)]
    if again and need.intent:
        return (
            f"was rebooted at {need.intent.time} and still asks for a reboot: "
            f"{'; '.join(_reasons(again))}; it is not "
            "rebooted twice for one reason. Find out what undoes the change, reboot it by hand, "
            "then run again."
        )
    if due and not settings.allowed:
        return (
            f"reboot pending: {'; '.join(_reasons(due))}; allow it with "
            "RebootSettings(allowed=True) or reboot the node, then run again."
        )
    return ""


def _intent(need: Need, due: Sequence[RebootProbe]) -> Intent:
    return Intent(
        reasons=_reasons(due),
        probes=tuple(map(probe_key, due)),
        boot_id=need.boot_id,
        count=need.intent.count + 1 if need.intent else 1,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _reasons(due: Sequence[RebootProbe]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(probe.reason for probe in due))
