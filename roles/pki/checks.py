"""What must hold of the certificates themselves; authorities, renewal and serving beside."""

from __future__ import annotations

from fnmatch import fnmatchcase

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check
from roles.pki import authority_checks, renewal_checks, served_checks, wanted
from roles.pki.evidence import KINDS, Report, report
from roles.pki.settings import SLACK_HOURS, PkiSettings

__all__ = ["authority_checks", "renewal_checks", "served_checks"]

APPLY = "run `flightline apply --role pki`, which says why it cannot"
RENEW = "`systemctl start flightline-pki-renew`, which says why it cannot"
_VALID = ("pki-certificates-valid",)
_KEYS = {
    "ecdsa-p256": "id-ecPublicKey (256 bit)",
    "ecdsa-p384": "id-ecPublicKey (384 bit)",
    "rsa-3072": "rsaEncryption (3072 bit)",
}


@check(
    "pki-certificates-valid",
    "both certificates are there and valid, now and long enough to mend a failed renewal",
    severity=CRITICAL,
    remedy=RENEW,
)
def certificates_valid(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    there = found.present()
    lacking = [f"/etc/flightline/pki/{kind}.pem" for kind in KINDS if kind not in there]
    assert not lacking, f"{', '.join(lacking)} is missing or no certificate, expected one"
    for kind, each in there.items():
        assert each.starts <= found.now, f"{kind}.pem is not valid yet by the node's clock"
        hours = (each.ends - found.now) / 3600
        least = _hours_left_min(settings, kind, (each.ends - each.starts) / 3600)
        assert hours >= least, (
            f"{kind}.pem is valid for {hours:.1f} hours more, expected at least {least:.0f}"
        )


def _hours_left_min(settings: PkiSettings, kind: str, life_hours: float) -> float:
    if kind == "node" or settings.source == "internal":
        return SLACK_HOURS
    if settings.files is not None:
        return settings.files.days_left_min * 24
    return life_hours / 6  # pki-renew asks an ACME authority when a third is left


@check(
    "pki-keys-match",
    "each private key belongs to its certificate",
    severity=CRITICAL,
    remedy=RENEW,
    depends=_VALID,
)
def keys_match(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    for kind in found.present():
        assert found.of(f"{kind}.public") == found.of(f"{kind}.private"), (
            f"the private key in {kind}.pem is another than its certificate's"
        )


@check(
    "pki-keys-private",
    "only root reads private keys",
    severity=CRITICAL,
    remedy="chmod 600 and chown root:root the file; if others could read it, renew: "
    "`/usr/local/lib/flightline/pki-renew --now`",
)
def keys_private(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    open_ones = [each for each in found.all("secret") if not each.startswith("600 root:root ")]
    assert not open_ones, f"private keys are {'; '.join(open_ones)}, expected 600 root:root"
    folder = found.of("authorities.mode")
    assert folder == "700 root:root", (
        f"{wanted.AUTHORITIES} is {folder or 'missing'}, expected 700 root:root"
    )


@check(
    "pki-keys-type",
    "keys are of the declared type and size",
    severity=ERROR,
    remedy=APPLY,
    depends=_VALID,
)
def keys_type(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    for kind, each in found.present().items():
        if kind == "gateway" and settings.source == "files":
            continue  # the site's own choice
        expected = _KEYS[settings.key_type]
        assert each.key == expected, (
            f"{kind}.pem has a key {each.key}, expected {expected} (PkiSettings.key_type)"
        )


@check(
    "pki-chain-verified",
    "each certificate leads to the root that is trusted for it",
    severity=CRITICAL,
    remedy=APPLY,
    depends=(*_VALID, "pki-roots-declared"),
)
def chain_verified(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    for kind in found.present():
        said = found.of(f"{kind}.verified")
        assert said.endswith(": OK"), f"openssl verify says of {kind}.pem: {said or 'nothing'}"


@check(
    "pki-names-declared",
    "each certificate is for the declared names, and for no others",
    severity=CRITICAL,
    remedy=APPLY,
    depends=_VALID,
)
def names_declared(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    there = found.present()
    if (gateway := there.get("gateway")) is not None:
        declared = frozenset(wanted.gateway_names(settings, node_of(host)))
        lacking = sorted(
            name for name in declared if not any(covers(each, name) for each in gateway.names)
        )
        assert not lacking, f"gateway.pem is not for {', '.join(lacking)} (PkiSettings.names)"
        others = sorted(gateway.names - declared)
        assert settings.source == "files" or not others, (
            f"gateway.pem is for {', '.join(others)} too, which PkiSettings.names does not have"
        )
    if (between := there.get("node")) is not None:
        expected = frozenset(node_names(found, host))
        assert between.names == expected, (
            f"node.pem is for {', '.join(sorted(between.names))}, expected "
            f"{', '.join(sorted(expected))}"
        )


@check(
    "pki-usages-limited",
    "the gateway's certificate serves only; the one between nodes serves and asks",
    severity=ERROR,
    remedy=APPLY,
    depends=_VALID,
)
def usages_limited(host: Host, settings: PkiSettings) -> None:
    found = report(host, settings)
    server, client = "TLS Web Server Authentication", "TLS Web Client Authentication"
    for kind, each in found.present().items():
        usages = set(each.usages.split(", "))
        needed = {server, client} if kind == "node" else {server}
        # An ACME authority or the site may allow clients too.
        allowed = {server, client} if settings.source != "internal" else needed
        assert needed <= usages <= allowed, (
            f"{kind}.pem is for {each.usages or 'anything'}, expected {', '.join(sorted(needed))}"
        )
        assert each.constraint in ("CA:FALSE", ""), f"{kind}.pem is an authority itself"


def node_of(host: Host) -> str:
    """Return the inventory's name of the node."""
    return str(host.backend.hostname)


def node_names(found: Report, host: Host) -> tuple[str, ...]:
    """Return the names between nodes: the inventory's, and the address that was last declared."""
    _, _, address = found.of("node_names").partition(" ")
    return wanted.node_names(node_of(host), address or None)


def covers(pattern: str, name: str) -> bool:
    """Return whether a name of a certificate is for a host name; * stands for one label."""
    return fnmatchcase(name, pattern) and name.count(".") == pattern.count(".")
