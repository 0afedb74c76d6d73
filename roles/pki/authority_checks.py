"""What must hold of the authorities: the operator's roots, and the node's own."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check
from roles.pki import wanted
from roles.pki.evidence import Report, constraint_of, declared_roots, report
from roles.pki.settings import PkiSettings

APPLY = "run `flightline apply --role pki`, which says why it cannot"
EXPIRY_DAYS = 60
"""An apply signs anew from 120 days on; half of that is left to notice that nobody applied."""


@check(
    "pki-roots-declared",
    "clients and nodes are told to trust the declared roots, and no others",
    severity=CRITICAL,
    remedy=APPLY,
)
def roots_declared(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    pairs = (
        ("gateway", "root.pem", lambda: wanted.gateway_root(settings)),
        ("node", "nodes-ca.pem", lambda: wanted.nodes_root(settings)),
    )
    for kind, file, read in pairs:
        there, declared = frozenset(found.all(f"{kind}.root")), declared_roots(read)
        assert there == declared, (
            f"/etc/flightline/pki/{file} has {_short(there)}, expected {_short(declared)}"
        )


@check(
    "pki-authority-constrained",
    "the node's own authorities can sign for this node's names alone",
    severity=CRITICAL,
    remedy=f"remove /etc/flightline/pki/authority/*.pem, then {APPLY}",
    depends=("pki-authority-valid",),
)
def authority_constrained(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    for kind in wanted.kinds(settings):
        each = found.certificate(f"{kind}-authority")
        assert each is not None, f"authority/{kind}.pem is missing"
        assert each.constraint == "CA:TRUE, pathlen:0", (
            f"authority/{kind}.pem has constraints {each.constraint or 'none'}, expected "
            "CA:TRUE, pathlen:0"
        )
        names = _names(found, settings, kind, str(host.backend.hostname))
        expected = constraint_of(names)
        assert each.permitted == expected, (
            f"authority/{kind}.pem may sign for {', '.join(sorted(each.permitted)) or 'anything'}, "
            f"expected {', '.join(sorted(expected))}"
        )
        free = _free(each.permitted, each.excluded)
        assert not free, f"authority/{kind}.pem may sign for any {free}, expected none"
        assert kind != "node" or any(line.startswith("DirName:") for line in each.excluded), (
            "authority/node.pem may name subjects, which HAProxy takes for host names"
        )


@check(
    "pki-authority-valid",
    f"the node's own authorities are valid for {EXPIRY_DAYS} days more",
    severity=ERROR,
    remedy=APPLY,
)
def authority_valid(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    for kind in wanted.kinds(settings):
        each = found.certificate(f"{kind}-authority")
        assert each is not None, f"authority/{kind}.pem is missing or no certificate"
        days = (each.ends - found.now) / 86400
        assert days >= EXPIRY_DAYS, (
            f"authority/{kind}.pem is valid for {days:.0f} days more, expected at least "
            f"{EXPIRY_DAYS}; then nothing is renewed"
        )


def _names(found: Report, settings: PkiSettings, kind: str, node: str) -> tuple[str, ...]:
    if kind == "gateway":
        return wanted.gateway_names(settings, node)
    _, _, address = found.of("node_names").partition(" ")
    return wanted.node_names(node, address or None)


def _free(permitted: frozenset[str], excluded: frozenset[str]) -> str:
    """A form of names of which nothing is permitted and not everything excluded; else empty."""
    if not any(line.startswith("DNS:") for line in permitted) and "DNS:" not in excluded:
        return "host name"
    if not any(line.startswith("IP:") for line in permitted):
        everything = {"IP:0.0.0.0/0.0.0.0", "IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0"}
        return "" if everything <= excluded else "address"
    return ""


def _short(fingerprints: frozenset[str]) -> str:
    told = (f"SHA-256 {each[:11]}…" for each in sorted(fingerprints))
    return " and ".join(told) or "no certificate"
