"""The internal authority: two roots on the operator's computer, and what they sign.

The root `root` is for clients of gateways, `nodes-root` for nodes among themselves. Each signs one
authority for each node, which can sign for that node's names alone: X.509 name constraints
(RFC 5280, 4.2.1.10). The keys of these stay on their nodes.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flightline.errors import FlightlineError
from flightline.serving.roots import certificates, key_of, make_root

Kind = Literal["gateway", "node"]
ROOTS: dict[Kind, str] = {"gateway": "root", "node": "nodes-root"}
"""What the files of each root are called: <name>.pem and <name>.key."""

VALID_DAYS = 397
"""Of a node's authority: a year and a month, so that a node that nobody reaches renews for long."""
RENEW_DAYS = 120
"""An authority with fewer days left is signed anew."""
BACKDATED = datetime.timedelta(hours=1)
"""Clocks that are this much behind accept what was signed just now."""
ORGANISATION = "Flightline"


@dataclass(frozen=True)
class Root:
    """A root that can sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    place: Path


def ensure(folder: Path) -> None:
    """Both roots are in the folder; what is there is never overwritten.

    Keys have mode 600, and the folder's .gitignore keeps them out of git. Safe to interrupt and to
    run twice at a time. Raises FlightlineError where the folder cannot be written.
    """
    for kind, name in ROOTS.items():
        if not (folder / f"{name}.pem").exists():
            make_root(folder, name, f"{ORGANISATION} {kind} root")


def is_made(folder: Path) -> bool:
    """Return whether both roots are in the folder."""
    return all((folder / f"{name}.pem").exists() for name in ROOTS.values())


def current(folder: Path, kind: Kind) -> x509.Certificate:
    """Return the root that signs for a kind, without its key; raises FlightlineError."""
    path = folder / f"{ROOTS[kind]}.pem"
    return certificates(_read(path), path)[0]


def trusted(folder: Path, kind: Kind) -> str:
    """Return the PEM certificates that a root's file holds: the root, and others trusted with it.

    Only the first signs; further ones stay trusted while a root is replaced. Raises FlightlineError
    for a missing or unreadable file.
    """
    path = folder / f"{ROOTS[kind]}.pem"
    return "".join(map(pem, certificates(_read(path), path)))


def root_of(folder: Path, kind: Kind) -> Root:
    """Return the root that signs for a kind; raises FlightlineError where its key is not there."""
    path = folder / f"{ROOTS[kind]}.pem"
    certificate = current(folder, kind)
    key = key_of(path.with_suffix(".key"))
    if _public(key.public_key()) != _public(certificate.public_key()):
        raise FlightlineError(
            f"{path.with_suffix('.key')} is not the key of the first certificate in {path}; "
            "put the right pair there."
        )
    return Root(certificate, key, path)


def sign_authority(root: Root, request: str, kind: Kind, node: str, names: Sequence[str]) -> str:
    """Return a node's authority as PEM: it signs for these names only.

    + request: the node's PKCS #10 request, of which only the key is taken
    + names: host names and IP addresses

    Raises FlightlineError for a request that is none, or not signed by its own key.
    """
    asked = _request(request, node)
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, node),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{kind} authority"),
        ]
    )
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=root.certificate.subject)
        .serial_number(x509.random_serial_number())
        .public_key(asked.public_key())
        .not_valid_before(max(now - BACKDATED, root.certificate.not_valid_before_utc))
        .not_valid_after(
            min(now + datetime.timedelta(days=VALID_DAYS), root.certificate.not_valid_after_utc)
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_USAGE, critical=True)
        .add_extension(constraints(kind, names), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(asked.public_key()), False)
        .add_extension(_identifier(root.certificate), critical=False)
    )
    return pem(builder.sign(root.key, hashes.SHA384()))


def constraints(kind: Kind, names: Sequence[str]) -> x509.NameConstraints:
    """Return what an authority may sign for: these names, names under them, and no others.

    A form of name that is not restricted would be free: so what is not listed is excluded whole.
    Certificates between nodes have no subject either, as HAProxy takes a subject's CN for a host
    name (ssl_sock_srv_verifycbk, HAProxy 2.6). For clients that is left out: GnuTLS and Go refuse
    chains with constraints on subjects.
    """
    hosts = [x509.DNSName(name) for name in names if not is_address(name)]
    addresses = [x509.IPAddress(ipaddress.ip_network(name)) for name in names if is_address(name)]
    excluded: list[x509.GeneralName] = [] if hosts else [x509.DNSName("")]
    if not addresses:
        excluded += [x509.IPAddress(ipaddress.ip_network(all_)) for all_ in ("0.0.0.0/0", "::/0")]
    if kind == "node":
        excluded.append(x509.DirectoryName(x509.Name([])))
    return x509.NameConstraints([*hosts, *addresses], excluded or None)


def problem(certificate: str, root: x509.Certificate, kind: Kind, names: Sequence[str]) -> str:
    """Return why a node's authority must be signed anew; empty when it need not be."""
    if not certificate:
        return "there is none"
    (found,) = certificates(certificate, "the node's authority")
    try:
        found.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return "another root signed it"
    left = found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    last = found.not_valid_after_utc >= root.not_valid_after_utc  # a new one would end with it too
    if left < datetime.timedelta(days=RENEW_DAYS) and not last:
        return f"{left.days} days are left"
    try:
        held = found.extensions.get_extension_for_class(x509.NameConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        return "it can sign for any name"
    return "" if held == constraints(kind, names) else "the names changed"


def is_address(name: str) -> bool:
    """Return whether a name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def pem(certificate: x509.Certificate) -> str:
    """Return the certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _request(text: str, node: str) -> x509.CertificateSigningRequest:
    try:
        found = x509.load_pem_x509_csr(text.encode())
    except ValueError:
        raise FlightlineError(
            f"{node} sent no certificate request; look at `openssl version` there, then repeat."
        ) from None
    if not found.is_signature_valid:
        raise FlightlineError(f"{node} sent a request that its own key did not sign; repeat.")
    return found


def _identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    known = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known)


def _public(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise FlightlineError(
            f"{path} cannot be read, or is not PEM; it is a root of PkiSettings.authority_folder: "
            "restore it from its backup, or apply to make a first one."
        ) from None


_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
