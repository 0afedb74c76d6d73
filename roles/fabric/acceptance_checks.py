"""Checks that load the fabric: every port measured against another node's, suspects twice."""

from __future__ import annotations

from testinfra.host import Host

from flightline.acceptance.evidence import MEASURED, read
from flightline.acceptance.pairs import Blame, Measured, blame
from flightline.audit.check import ACCEPTANCE, ERROR, check, not_applicable, unknown
from flightline.gpu.rdma import RdmaPort, RdmaReport
from roles.fabric.settings import FabricSettings
from roles.fabric.wanted import compute_ports


def _ports(report: RdmaReport, fabric: FabricSettings) -> tuple[RdmaPort, ...]:
    return compute_ports(fabric, report)


@check(
    "fabric-acceptance-pairs",
    "every compute port reaches the bandwidth of its rate with another node",
    severity=ERROR,
    phase=ACCEPTANCE,
    remedy="reseat or replace the cable of the port that is named, then the card",
    between=_ports,
)
def pairs(host: Host, _fabric: FabricSettings) -> None:
    answer = host.run(MEASURED)
    node, nodes, measured = read(answer.stdout)
    if node not in nodes:
        not_applicable("the node has no active compute port to measure.")
    if len(nodes) < 2:
        unknown("no other node with an active compute port was audited; a pair needs two.")
    mine = [each for each in measured if node in (each.pair.server, each.pair.client)]
    verdicts = {each.rail: blame(node, each.rail, measured) for each in mine}
    bad = [rail for rail, verdict in verdicts.items() if verdict in (Blame.BAD, Blame.OPEN)]
    assert not bad, " ".join(_sentence(node, rail, verdicts[rail], mine) for rail in bad)
    if not verdicts:
        unknown("nothing was measured on this node.")


def _sentence(node: str, rail: str, verdict: Blame, mine: list[Measured]) -> str:
    slow = next(each for each in mine if each.rail == rail and not each.is_sound)
    peer = slow.pair.client if slow.pair.server == node else slow.pair.server
    found = "did not run" if slow.gbps is None else f"reached {slow.gbps:.1f} Gb/s"
    expected = f", expected at least {slow.floor_gbps:g}" if slow.floor_gbps else ""
    why = f" ({slow.problem})" if slow.problem else ""
    whose = (
        "it is slow with a sound partner too"
        if verdict is Blame.BAD
        else "no sound partner was left to tell whose end is at fault"
    )
    return f"{rail} to {peer} {found}{expected}{why}; {whose}."
