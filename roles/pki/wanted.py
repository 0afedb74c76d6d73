"""What the settings mean for one node: names, roots, places. Pure; shared by role and checks."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flightline import project
from flightline.errors import FlightlineError, NodeRefused
from flightline.serving import authority
from flightline.serving.authority import Kind, is_address
from flightline.serving.layout import NODES_AUTHORITY, PKI
from flightline.serving.roots import certificates
from roles.pki.settings import PkiSettings, name_problem

ROOT = f"{PKI}/root.pem"
CONF = f"{PKI}/renew.conf"
ACME_ROOT = f"{PKI}/acme-ca.pem"
AUTHORITIES = f"{PKI}/authority"
STATE = "/var/lib/flightline/pki"
SERVICE = "flightline-pki-renew.service"
TIMER = "flightline-pki-renew.timer"

NODE_LENGTH_MAX = 64
"""RFC 5280, ub-organizational-unit-name: the node's name is in the subjects of its certificates."""


def kinds(settings: PkiSettings) -> tuple[Kind, ...]:
    """Return which authorities of the project's own the node has."""
    return ("node", "gateway") if settings.source == "internal" else ("node",)


def gateway_names(settings: PkiSettings, node: str) -> tuple[str, ...]:
    """Return the names of the gateway's certificate, each once."""
    return _plain(tuple(name.replace("{node}", node) for name in settings.names))


def node_names(node: str, address: str | None) -> tuple[str, ...]:
    """Return the names of the certificate between nodes: the node's, and where others reach it."""
    return _plain((node, *((address,) if address else ())))


def names(settings: PkiSettings, kind: Kind, node: str, address: str | None) -> tuple[str, ...]:
    """Return the names that a kind of certificate is for."""
    return gateway_names(settings, node) if kind == "gateway" else node_names(node, address)


def refuse_names(settings: PkiSettings, node: str, address: str | None) -> None:
    """Raise NodeRefused where a certificate cannot be for this node."""
    if why := name_problem(node):
        raise NodeRefused(f"the node's name in the inventory, {node}, {why} (role pki).")
    if len(node) > NODE_LENGTH_MAX:
        raise NodeRefused(
            f"the node's name in the inventory has {len(node)} characters, expected at most "
            f"{NODE_LENGTH_MAX} in a certificate (role pki); shorten it."
        )
    if address and (why := name_problem(address)):
        raise NodeRefused(f"serving_address, {address}, {why} (role pki).")
    for name in gateway_names(settings, node):
        if why := name_problem(name):
            raise NodeRefused(f"{name} {why} (PkiSettings.names).")
        if settings.source == "acme" and is_address(name):
            raise NodeRefused(
                f"{name} is an address, but certbot asks for host names alone (PkiSettings.names)."
            )


def folder(settings: PkiSettings) -> Path:
    """Return the internal authority's folder on this computer."""
    return project.root() / settings.authority_folder


def gateway_root(settings: PkiSettings) -> str:
    """Return the PEM certificates that clients trust; raises FlightlineError without them."""
    if settings.root_file is None:
        return authority.trusted(folder(settings), "gateway")
    return site_root(settings.root_file, "PkiSettings.root_file")


def nodes_root(settings: PkiSettings) -> str:
    """Return the PEM certificates that nodes trust; raises FlightlineError without them."""
    return authority.trusted(folder(settings), "node")


def kept_root(settings: PkiSettings, declared: str, current: str | None) -> str:
    """Return the declared roots for a node that trusts the current ones.

    Raises NodeRefused where none of these is declared any more: the node's peers would be cut off.
    """
    place = folder(settings) / f"{authority.ROOTS['node']}.pem"
    trusted = _keys(current or "", NODES_AUTHORITY)
    if trusted and not trusted & _keys(declared, place):
        raise NodeRefused(
            f"{NODES_AUTHORITY} on the node trusts other roots than {place} has "
            "(PkiSettings.authority_folder), and gateway and engines of other nodes would be cut "
            "off; restore that folder from its backup, append the old root while the new one "
            "spreads (docs/pki.md), or remove the node's file to begin anew."
        )
    return declared


def _keys(text: str, place: object) -> set[bytes]:
    """The public keys of PEM certificates; none where there is no certificate."""
    try:
        found = certificates(text, place)
    except FlightlineError:
        return set()
    return {
        each.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for each in found
    }


def site_root(path: str, field: str) -> str:
    """Return PEM certificates of the site; raises NodeRefused, naming the field, without them."""
    place = project.root() / path
    try:
        text = place.read_text(encoding="ascii")
        return "".join(map(authority.pem, certificates(text, place)))
    except (OSError, UnicodeDecodeError):
        raise NodeRefused(f"{place} is not there or not PEM ({field}); put it there.") from None


def _plain(found: tuple[str, ...]) -> tuple[str, ...]:
    """The names once each, addresses in the one way that they are written in (RFC 5952)."""
    return tuple(
        dict.fromkeys(
            str(ipaddress.ip_address(name)) if is_address(name) else name for name in found
        )
    )
