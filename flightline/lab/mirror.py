"""The Debian mirror of the lab's images: the one that this computer itself installs from."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flightline.errors import FlightlineError

SUITES = ("bookworm", "trixie")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# What of the computer's own apt also holds for the image and its nodes.
INHERITED = (
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
)


@dataclass(frozen=True)
class Source:
    """One apt source: where, which suite, which components, which key."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""

    @property
    def is_debian(self) -> bool:
        """Whether this is Debian itself and not a vendor's repository beside it."""
        if not self.uri.startswith(("http:", "https:")) or "/ubuntu" in self.uri:
            return False
        by_debian = not self.signed_by or "debian-archive" in self.signed_by
        return by_debian and "main" in self.components


@dataclass(frozen=True)
class Mirror:
    """Where Debian's packages come from; security is empty where this computer has none."""

    main: str
    security: str = ""

    def lines(self, suite: str) -> list[str]:
        """Return the sources.list lines of a suite, its updates and its security updates."""
        where = [(self.main, suite), (self.main, f"{suite}-updates")]
        if self.security:
            where.append((self.security, f"{suite}-security"))
        return [f"deb [signed-by={KEYRING}] {uri} {name} main" for uri, name in where]


def of_this_computer() -> Mirror:
    """Return the mirror from FLIGHTLINE_LAB_MIRROR, else from this computer's apt sources.

    Raises FlightlineError where neither names a Debian mirror.
    """
    named = os.environ.get("FLIGHTLINE_LAB_MIRROR")
    if named:
        return Mirror(
            named.rstrip("/"), os.environ.get("FLIGHTLINE_LAB_SECURITY_MIRROR", "").rstrip("/")
        )
    return among(sources(Path("/etc/apt")))


def among(found: list[Source]) -> Mirror:
    """Return the mirror that Debian's own entries among the apt sources name."""
    debian = [source for source in found if source.is_debian]
    main = [s.uri for s in debian if re.fullmatch(r"[a-z]+", s.suite) and "security" not in s.uri]
    security = [s.uri for s in debian if s.suite.endswith(("-security", "/updates"))]
    if not main:
        raise FlightlineError(
            "this computer's apt sources name no Debian mirror to build the lab's images from; "
            "set FLIGHTLINE_LAB_MIRROR (and FLIGHTLINE_LAB_SECURITY_MIRROR) to one, such as "
            "http://MIRROR/debian and http://MIRROR/debian-security."
        )
    return Mirror(main[0].rstrip("/"), security[0].rstrip("/") if security else "")


def sources(apt: Path) -> list[Source]:
    """Return what sources.list, then sources.list.d/*.list and *.sources of the folder declare."""
    parts = apt / "sources.list.d"
    one_line = [apt / "sources.list", *sorted(parts.glob("*.list"))]
    found = [s for path in one_line if path.is_file() for s in parse_list(path.read_text())]
    for path in sorted(parts.glob("*.sources")):
        found += parse_deb822(path.read_text())
    return found


def parse_list(text: str) -> list[Source]:
    """Return the binary sources of a file in the one-line style (sources.list(5))."""
    pattern = re.compile(
        r"^deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>.*)$"
    )
    found = []
    for line in text.splitlines():
        match = pattern.match(line.split("#")[0].strip())
        if match:
            key = re.search(r"signed-by=(\S+)", match["options"] or "", re.IGNORECASE)
            found.append(
                Source(
                    match["uri"],
                    match["suite"],
                    tuple(match["rest"].split()),
                    key[1] if key else "",
                )
            )
    return found


def parse_deb822(text: str) -> list[Source]:
    """Return the enabled binary sources of a file in the deb822 style (sources.list(5))."""
    found = []
    for stanza in _stanzas(text):
        if (
            stanza.get("enabled", "yes").lower() == "no"
            or "deb" not in stanza.get("types", "").split()
        ):
            continue
        found += [
            Source(
                uri, suite, tuple(stanza.get("components", "").split()), stanza.get("signed-by", "")
            )
            for uri in stanza.get("uris", "").split()
            for suite in stanza.get("suites", "").split()
        ]
    return found


def apt_options() -> list[str]:
    """Return this computer's apt.conf lines that the image must also have: proxy, clock policy."""
    dump = subprocess.run(
        ["apt-config", "dump", *INHERITED], capture_output=True, text=True, check=False
    )
    return [line for line in dump.stdout.splitlines() if not line.endswith('"";')]


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    for block in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace() and name:
                fields[name] = f"{fields[name]} {line.strip()}".strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields:
            yield fields
