"""What must hold of /etc/nccl.conf: it names what is there, and nothing that it must not."""

from __future__ import annotations

import re

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, not_applicable
from roles.fabric import evidence, wanted
from roles.fabric.settings import REFUSED_VARIABLES, FabricSettings

APPLY = "run `flightline apply --role fabric`"
_DEVICES = ("fabric-devices-present", "fabric-links-soft", "fabric-names-kernel")


@check(
    "fabric-nccl-hcas",
    "NCCL is given exactly the compute ports, and each of them exists",
    severity=CRITICAL,
    remedy=APPLY,
    depends=(*_DEVICES, "fabric-ports-layer"),
)
def nccl_hcas(host: Host, settings: FabricSettings) -> None:
    found = evidence.report(host, settings)
    written = evidence.nccl(host, settings).get("NCCL_IB_HCA", "")
    declared = wanted.nccl_lines(settings, found).get("NCCL_IB_HCA", "")
    names = [name for name in written.removeprefix("=").split(",") if name]
    there = {port.name for port in found.ports}
    ghosts = [name for name in names if name not in there]
    assert not ghosts, (
        f"{wanted.NCCL_CONF} names {', '.join(ghosts)}, which this node does not have"
    )
    assert written == declared, (
        f"{wanted.NCCL_CONF} has NCCL_IB_HCA={written or 'unset'}, expected {declared or 'unset'} "
        "(FabricSettings.ports, excluded_ports)"
    )


@check(
    "fabric-nccl-interface",
    "NCCL's bootstrap interface is the declared one, and is up",
    severity=CRITICAL,
    remedy=APPLY,
    depends=("fabric-ports-linkup",),
)
def nccl_interface(host: Host, settings: FabricSettings) -> None:
    found = evidence.report(host, settings)
    written = evidence.nccl(host, settings).get("NCCL_SOCKET_IFNAME", "")
    declared = wanted.nccl_lines(settings, found).get("NCCL_SOCKET_IFNAME", "")
    assert written == declared, (
        f"{wanted.NCCL_CONF} has NCCL_SOCKET_IFNAME={written or 'unset'}, expected "
        f"{declared or 'unset'} (FabricSettings.nccl_socket_interface)"
    )
    interface = found.interfaces.get(written.removeprefix("="))
    if not written:
        not_applicable("no interface is declared, and the node has no default route")
    assert interface is not None and interface.is_up, (
        f"{written.removeprefix('=')} is not up, expected NCCL's bootstrap interface to be "
        "(FabricSettings.nccl_socket_interface)"
    )


@check(
    "fabric-nccl-variables",
    "NCCL's other variables are the declared ones; none debugs or fixes a topology",
    severity=ERROR,
    remedy=APPLY,
)
def nccl_variables(host: Host, settings: FabricSettings) -> None:
    found = evidence.report(host, settings)
    written = evidence.nccl(host, settings)
    declared = wanted.nccl_lines(settings, found)
    judged_elsewhere = {"NCCL_IB_HCA", "NCCL_SOCKET_IFNAME"}
    refused = [name for name in written if re.match("|".join(REFUSED_VARIABLES), name)]
    assert not refused, f"{wanted.NCCL_CONF} has {', '.join(refused)}, expected no such variable"
    wrong = [
        f"{name}={written.get(name, 'unset')}, expected {declared.get(name, 'unset')}"
        for name in sorted({*written, *declared} - judged_elsewhere)
        if written.get(name) != declared.get(name)
    ]
    assert not wrong, f"{wanted.NCCL_CONF} has {'; '.join(wrong)} (FabricSettings.nccl_variables)"
