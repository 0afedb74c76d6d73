"""From findings to verdicts: dependencies suppress, waivers excuse, unknown blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from flightline.audit.check import Check, Severity
from flightline.audit.judge import Finding
from flightline.audit.waivers import Waivers
from flightline.report.record import (
    NOT_CAPTURED,
    UNREACHABLE,
    CheckResult,
    NodeResult,
    Outcome,
    Summary,
    Verdict,
)

_BAD = (Outcome.FAIL, Outcome.UNKNOWN)


def results(
    node: str,
    findings: Mapping[str, Finding],
    waivers: Waivers,
    evidence: Mapping[str, str],
) -> tuple[CheckResult, ...]:
    """Return the results of one node; `evidence` maps a command to where its answer is kept."""
    return tuple(
        _excused(node, _result(found, root_cause(found, findings), evidence), waivers)
        for found in findings.values()
    )


def root_cause(found: Finding, findings: Mapping[str, Finding]) -> str | None:
    """Return the id of the problem that explains this one, or None when it stands for itself.

    A failed dependency explains a failure and an unknown; an unknown one explains only an unknown,
    because a failure that was measured is not taken back by something that was not. What a capture
    does not have explains nothing that the capture shows.
    """
    if found.outcome not in _BAD:
        return None
    for name in found.check.depends:
        cause = findings.get(name)
        if cause is None or cause.outcome not in _BAD:
            continue
        if _is_not_captured(cause) and not _is_not_captured(found):
            continue
        if cause.outcome is Outcome.FAIL or found.outcome is Outcome.UNKNOWN:
            return root_cause(cause, findings) or name
    return None


def _is_not_captured(found: Finding) -> bool:
    return found.outcome is Outcome.UNKNOWN and found.message.endswith(NOT_CAPTURED)


def unreachable(why: str, checks: Sequence[Check]) -> tuple[CheckResult, ...]:
    """Return one problem for the node, and every check as unknown because of it."""
    problem = CheckResult(
        id=UNREACHABLE,
        role="node",
        claim="the node answers",
        outcome=Outcome.UNKNOWN,
        severity=Severity.CRITICAL,
        message=why,
        remedy="make the node reachable, then audit it again",
    )
    silent = (
        CheckResult(
            id=each.id,
            role=each.role,
            claim=each.claim,
            outcome=Outcome.UNKNOWN,
            severity=each.severity,
            message="the node could not be asked.",
            remedy=each.remedy,
            suppressed_by=UNREACHABLE,
        )
        for each in checks
    )
    return (problem, *silent)


def node_verdict(checks: Iterable[CheckResult]) -> Verdict:
    """Return no-go for a failure that blocks, else undecided for an unknown, else go."""
    blocking = {each.outcome for each in checks if each.blocks}
    if Outcome.FAIL in blocking:
        return Verdict.NO_GO
    return Verdict.UNDECIDED if blocking else Verdict.GO


def summary(nodes: Sequence[NodeResult]) -> Summary:
    """Return the verdict over all nodes: the worst of theirs; no node at all decides nothing."""
    verdicts = Counter(node.verdict for node in nodes)
    counts = Counter(check.outcome for node in nodes for check in node.checks)
    order = (Verdict.NO_GO, Verdict.UNDECIDED, Verdict.GO)
    return Summary(
        verdict=next((each for each in order if verdicts[each]), Verdict.UNDECIDED),
        counts={each: counts[each] for each in Outcome},
        nodes={each: verdicts[each] for each in Verdict},
    )


def _result(found: Finding, cause: str | None, evidence: Mapping[str, str]) -> CheckResult:
    check = found.check
    because = f"explained by {cause}: " if cause else ""
    return CheckResult(
        id=check.id,
        role=check.role,
        claim=check.claim,
        outcome=Outcome.UNKNOWN if cause else found.outcome,
        severity=check.severity,
        message=f"{because}{found.message}",
        remedy=check.remedy,
        evidence=tuple(evidence[each] for each in found.asked if each in evidence),
        suppressed_by=cause,
    )


def _excused(node: str, result: CheckResult, waivers: Waivers) -> CheckResult:
    if not result.is_alarm:
        return result
    waiver = waivers.covering(result.id, node)
    if waiver is None:
        return result
    if waivers.holds(waiver):
        return result.model_copy(update={"outcome": Outcome.WAIVED, "waiver": waiver})
    expired = f"{result.message} The waiver of {waiver.owner} expired on {waiver.expires}."
    return result.model_copy(update={"message": expired, "waiver": waiver})
