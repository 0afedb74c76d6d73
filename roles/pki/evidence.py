"""What the checks ask a node about its certificates: one script and plain parsing, no pyinfra."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from testinfra.host import Host

from flightline.audit.check import not_applicable, unknown
from flightline.errors import FlightlineError
from flightline.serving.authority import Kind
from flightline.serving.roots import certificates
from roles.pki.settings import PkiSettings

SCRIPT = Path(__file__).with_name("evidence.sh").read_text(encoding="utf-8")
"""Answers `report`."""
KINDS: tuple[Kind, ...] = ("gateway", "node")


@dataclass(frozen=True)
class Certificate:
    """A certificate as openssl shows it."""

    lines: tuple[str, ...]
    mode: str

    @property
    def starts(self) -> float:
        """Seconds since 1970."""
        return _seconds(self._line("Not Before"))

    @property
    def ends(self) -> float:
        """Seconds since 1970."""
        return _seconds(self._line("Not After"))

    @property
    def key(self) -> str:
        """Type and size, such as `id-ecPublicKey (256 bit)`."""
        return f"{self._line('Public Key Algorithm')} {self._line('Public-Key')}"

    @property
    def usages(self) -> str:
        """Extended key usages."""
        return self._below("X509v3 Extended Key Usage")

    @property
    def constraint(self) -> str:
        """Basic constraints, such as `CA:TRUE, pathlen:0`."""
        return self._below("X509v3 Basic Constraints")

    @property
    def names(self) -> frozenset[str]:
        """Host names and addresses."""
        parts = self._below("X509v3 Subject Alternative Name").split(", ")
        return frozenset(_name(part) for part in parts if part)

    @property
    def permitted(self) -> frozenset[str]:
        """What an authority may sign for, as openssl shows it; empty without constraints."""
        return frozenset(self._constraints()[0])

    @property
    def excluded(self) -> frozenset[str]:
        """What it may not, in the same way."""
        return frozenset(self._constraints()[1])

    def _constraints(self) -> tuple[list[str], list[str]]:
        permitted: list[str] = []
        excluded: list[str] = []
        target: list[str] | None = None
        for line in self.lines:
            if line.startswith("X509v3"):
                target = permitted if "Name Constraints" in line else None
            elif target is not None and line == "Excluded:":
                target = excluded
            elif target is not None and line != "Permitted:":
                target.append(line)
        return permitted, excluded

    def _line(self, title: str) -> str:
        for line in self.lines:
            name, _, value = line.partition(":")
            if name.strip() == title:
                return value.strip()
        raise ValueError(f"openssl did not show {title} of a certificate")

    def _below(self, title: str) -> str:
        for line, following in zip(self.lines, (*self.lines[1:], ""), strict=True):
            if line.startswith(title):
                return following
        return ""


@dataclass(frozen=True)
class Report:
    """Everything the script said, by key; repeated keys in their order."""

    said: Mapping[str, tuple[str, ...]]

    def of(self, key: str) -> str:
        """Return the last value of a key, empty without one."""
        return self.said.get(key, ("",))[-1]

    def all(self, key: str) -> tuple[str, ...]:
        """Return every value of a key."""
        return self.said.get(key, ())

    @property
    def now(self) -> float:
        """The node's clock, seconds since 1970."""
        return float(self.of("now"))

    def certificate(self, label: str) -> Certificate | None:
        """Return a certificate: gateway, node, gateway-authority or node-authority."""
        lines = self.all(f"{label}.text")
        return Certificate(lines, self.of(f"{label}.mode")) if lines else None

    def present(self) -> dict[Kind, Certificate]:
        """Return the certificates that are there."""
        found = {kind: self.certificate(kind) for kind in KINDS}
        return {kind: each for kind, each in found.items() if each is not None}


def report(host: Host, settings: PkiSettings) -> Report:
    """Return the evidence; ends the check as not applicable where no certificates are declared."""
    if not settings.enabled:
        not_applicable("PkiSettings.enabled is False")
    try:
        return parsed(host.run(SCRIPT).stdout)
    except ValueError as error:
        unknown(f"{error}.")


@lru_cache(maxsize=16)
def parsed(printed: str) -> Report:
    """Return the report; an audit re-runs its checks, and all of them ask for it."""
    return parse_report(printed)


def parse_report(printed: str) -> Report:
    """Return what the script said: lines of KEY=VALUE.

    Real lines (openssl 3.0.19, Debian 12): "gateway.text=Not After : Nov 25 15:19:07 2026 GMT",
    "gateway.verified=/etc/flightline/pki/gateway.pem: OK". Raises ValueError where the end is
    missing.
    """
    said: dict[str, list[str]] = {}
    for line in printed.splitlines():
        key, sign, value = line.partition("=")
        if sign:
            said.setdefault(key, []).append(value.strip())
    if "end" not in said or "now" not in said:
        raise ValueError("the certificates cannot be read: the answer is cut short")
    return Report({key: tuple(values) for key, values in said.items()})


def declared_roots(read: Callable[[], str]) -> frozenset[str]:
    """Return the SHA-256 fingerprints of declared roots; ends the check as unknown without them."""
    try:
        found = certificates(read(), "the declared root")
    except FlightlineError as error:
        unknown(error.message)
    return frozenset(each.fingerprint(hashes.SHA256()).hex(":").upper() for each in found)


def constraint_of(names: Sequence[str]) -> frozenset[str]:
    """Return names as openssl shows them among name constraints."""
    return frozenset(map(_constraint, names))


def _constraint(name: str) -> str:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return f"DNS:{name}"
    if address.version == 4:
        return f"IP:{address}/255.255.255.255"
    groups = ":".join(f"{int(group, 16):X}" for group in address.exploded.split(":"))
    return f"IP:{groups}/{':'.join(['FFFF'] * 8)}"


def _name(part: str) -> str:
    """Return `DNS:gpu-01` and `IP Address:FD00:0:0:0:0:0:0:7` as a person writes them."""
    kind, _, value = part.partition(":")
    return str(ipaddress.ip_address(value)) if kind == "IP Address" else value.lower()


def _seconds(shown: str) -> float:
    moment = datetime.datetime.strptime(shown, "%b %d %H:%M:%S %Y GMT")
    return moment.replace(tzinfo=datetime.UTC).timestamp()
