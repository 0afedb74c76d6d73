"""What must hold of what the running gateway shows to those who connect."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, check, not_applicable
from roles.pki.evidence import Report, report
from roles.pki.settings import PkiSettings


@check(
    "pki-served-current",
    "the running gateway shows the certificates that are on disk: they were handed over",
    severity=CRITICAL,
    remedy="`/usr/local/lib/flightline/gateway-certificates`, which says why it cannot; "
    "else reload flightline-gateway",
    depends=("pki-certificates-valid",),
)
def served_current(host: Host, settings: PkiSettings) -> None:
    found = _running(host, settings)
    shown = {kind: found.of(f"{kind}.served") for kind in _listening(found)}
    if not shown:
        not_applicable("the gateway's configuration binds neither certificate")
    for kind, fingerprint in shown.items():
        assert fingerprint, f"the gateway shows no certificate where it binds {kind}.pem"
        assert fingerprint == found.of(f"{kind}.fingerprint"), (
            f"the gateway shows another certificate than {kind}.pem, expected the one on disk"
        )


@check(
    "pki-served-protocol",
    "clients that do not speak TLS 1.3 get no certificate",
    severity=CRITICAL,
    remedy="run `flightline apply --role gateway`; its configuration wants ssl-min-ver TLSv1.3",
    depends=("pki-served-current",),
)
def served_protocol(host: Host, settings: PkiSettings) -> None:
    found = _running(host, settings)
    if "gateway" not in _listening(found):
        not_applicable("the gateway's configuration does not bind gateway.pem")
    assert not found.of("gateway.served12"), "the gateway speaks TLS 1.2, expected TLS 1.3 only"


def _running(host: Host, settings: PkiSettings) -> Report:
    found = report(host, settings)
    if found.of("gateway") != "active":
        not_applicable("flightline-gateway.service does not run")
    return found


def _listening(found: Report) -> tuple[str, ...]:
    return tuple(kind for kind in ("gateway", "node") if f"{kind}.served" in found.said)
