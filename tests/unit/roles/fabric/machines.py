"""Fabrics for the role's tests: recorded ones, and small variations of them."""

from __future__ import annotations

import re

from flightline.gpu.rdma import RdmaReport, parse_rdma
from roles.fabric import evidence
from roles.fabric.facts import Fabric
from tests.machines import fabric


def text(name: str = "h100_sxm_8", *edits: tuple[str, str]) -> str:
    """Return what the machine's script printed, with edits (regex, text)."""
    printed = fabric.answers(name)["fabric-rdma"].stdout.decode()
    for pattern, by in edits:
        printed, count = re.subn(pattern, by, printed, flags=re.MULTILINE)
        assert count, f"{pattern} is nowhere in the answer"
    return printed


def report(name: str = "h100_sxm_8", *edits: tuple[str, str]) -> RdmaReport:
    """Return the machine's report."""
    return parse_rdma(text(name, *edits))


def running(name: str = "h100_sxm_8", *edits: tuple[str, str]) -> Fabric:
    """Return the machine as the role's fact has it: set up, nothing redirecting."""
    recorded = fabric.answers(name)
    said = recorded["fabric-pfc"].stdout.decode() if "fabric-pfc" in recorded else ""
    return Fabric(report(name, *edits), (), evidence.lossless(said), is_set_up=True)


EMPTY = "uptime:9.5\nnet:eth0/mtu:1500\nnet:eth0/operstate:up\nroute:eth0\nend\n"
SOFT = EMPTY.replace(
    "end\n",
    "device:rxe_eth1\nrxe_eth1/parent:eth1\nrxe_eth1/ports/1/state:4: ACTIVE\n"
    "rxe_eth1/ports/1/link_layer:Ethernet\nnet:eth1/mtu:4200\nnet:eth1/operstate:up\n"
    "net:eth1/arp_announce:2\nnet:eth1/arp_ignore:1\nnet:eth1/rp_filter:2\n"
    "module:rdma_rxe\nmodule:ib_umad\nmodule:rdma_ucm\nend\n",
)
