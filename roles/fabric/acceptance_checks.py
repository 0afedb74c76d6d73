"""Checks that load the fabric: every port measured against another node's, suspects twice."""

from __future__ import annotations

from testinfra.host import Host

from flightline.acceptance.judging import judge_pairs
from flightline.acceptance.kinds import RdmaWrite
from flightline.audit.check import ACCEPTANCE, ERROR, check
from roles.fabric.settings import FabricSettings
from roles.fabric.wanted import compute_ports

_WRITE = RdmaWrite(ports=lambda report, fabric: compute_ports(fabric, report))


@check(
    "fabric-acceptance-pairs",
    "every compute port reaches the bandwidth of its rate with another node",
    severity=ERROR,
    phase=ACCEPTANCE,
    remedy="reseat or replace the cable of the port that is named, then the card",
    between=_WRITE,
)
def pairs(host: Host, _fabric: FabricSettings) -> None:
    judge_pairs(host, _WRITE.label, "Gb/s", nothing="the node has no compute port")
