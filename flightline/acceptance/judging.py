"""What a check says of a measurement between nodes."""

from __future__ import annotations

from collections.abc import Sequence

from testinfra.host import Host

from flightline.acceptance.evidence import read
from flightline.acceptance.pairs import Blame, Measured, blame
from flightline.audit.check import not_applicable, unknown


def judge_pairs(host: Host, label: str, unit: str, *, nothing: str) -> None:
    """Hold that the node is sound on every rail; ends the check otherwise where it took no part.

    `nothing` says why a node has nothing to measure.
    """
    node, nodes, measured = read(host.run(label).stdout)
    if node not in nodes:
        not_applicable(f"{nothing}.")
    if len(nodes) < 2:
        unknown("no other node with the same was audited, and a pair needs two.")
    mine = [each for each in measured if node in (each.pair.server, each.pair.client)]
    verdicts = {each.rail: blame(node, each.rail, measured) for each in mine}
    bad = [rail for rail, verdict in verdicts.items() if verdict in (Blame.BAD, Blame.OPEN)]
    assert not bad, " ".join(_sentence(node, rail, verdicts[rail], mine, unit) for rail in bad)
    if unmeasured := [rail for rail, verdict in verdicts.items() if verdict is Blame.UNMEASURED]:
        whys = "; ".join(dict.fromkeys(each.problem for each in mine if each.rail in unmeasured))
        unknown(f"{', '.join(unmeasured)} was not measured: {whys}.")
    if not verdicts:
        unknown("nothing was measured on this node.")


def _sentence(node: str, rail: str, verdict: Blame, mine: Sequence[Measured], unit: str) -> str:
    slow = next(each for each in mine if each.rail == rail and not each.is_sound)
    peer = slow.pair.client if slow.pair.server == node else slow.pair.server
    found = "did not run" if slow.rate is None else f"reached {slow.rate:.1f} {unit}"
    expected = f", expected at least {slow.floor:g}" if slow.floor else ""
    why = f" ({slow.problem})" if slow.problem else ""
    if slow.culprit:
        return f"{rail} to {peer} {found}{why}."
    whose = (
        "it is slow with a sound partner too"
        if verdict is Blame.BAD
        else "no sound partner was left to tell whose end is at fault"
    )
    return f"{rail} to {peer} {found}{expected}{why}; {whose}."
