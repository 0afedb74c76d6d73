"""Where a node's certificates come from, and how often they are new."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from flightline import project
from flightline.serving.authority import is_address
from flightline.settings import PlainPath, Settings

SLACK_HOURS = 24
"""A certificate outlives its turn by at least this: a day to mend what keeps it from being new."""
NAMES_MAX = 100
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"  # RFC 1123, 2.1
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)

AbsolutePath = Annotated[PlainPath, Field(pattern=r"^(/[A-Za-z0-9@_+=:,.-]+)+$")]


class AcmeSettings(Settings):
    """An ACME authority (RFC 8555), such as step-ca; asked by certbot from the distribution (on the
    RHEL family it is in EPEL)."""

    server_url: str = Field(pattern=r"^https://[A-Za-z0-9.:\[\]/_-]+$")
    """Address of the authority's directory, such as "https://ca.example.org/acme/acme/directory"."""

    server_root_file: str | None = Field(default=None, min_length=1)
    """PEM certificates, in the project, that the authority's own HTTPS is trusted by. None: those
    of `root_file`, as with step-ca."""

    email: str | None = Field(default=None, pattern=r"^[^\s@'\"]+@[^\s@'\"]+$")
    """Address of the account. None: an account without one."""

    webroot: AbsolutePath | None = None
    """Folder on the node that a web server of the site shows on port 80; the challenge is put
    there. None: certbot itself listens while it asks."""

    http_port: int = Field(default=80, ge=1, le=65_535)
    """Port that certbot listens on without `webroot`; an authority asks port 80 (RFC 8555, 8.3), so
    another one needs a redirection."""

    account_file: AbsolutePath | None = None
    """File on the node in certbot's own format with `eab-kid = ...` and `eab-hmac-key = ...`, for
    authorities that bind accounts. None: no such binding."""


class FilesSettings(Settings):
    """Certificate and key that the site puts on the node; the timer takes them over each hour."""

    certificate: AbsolutePath
    """PEM certificate with its chain, on the node."""

    key: AbsolutePath
    """PEM private key without a passphrase, on the node."""

    days_left_min: int = Field(default=14, ge=1, le=365)
    """Days that the certificate must be valid for; with fewer the audit asks for a new one."""


class PkiSettings(Settings):
    """Certificates of the gateway, and between nodes."""

    enabled: bool = False
    """Whether this node has certificates. False, the default: nothing is installed and nothing is
    touched."""

    source: Literal["internal", "acme", "files"] = "internal"
    """Who signs what clients meet: an authority of the project's own, whose root is in
    `authority_folder`; an ACME authority, such as step-ca; or files that the site supplies.
    Certificates between nodes always are of the project's own."""

    names: tuple[str, ...] = ("{node}",)
    """Host names and addresses of the gateway's certificate; {node} is the inventory's name. One
    to 100, lower case, no wildcards: the node's authority could then sign for other nodes."""

    authority_folder: str = Field(default="authority", pattern=r"^[^\s]+$")
    """Folder of the internal authority, on the operator's computer; relative to the project's. Its
    keys sign authorities for each node, which can sign for that node's names alone. Made at the
    first apply; back it up."""

    root_file: str | None = None
    """PEM certificates, in the project, that clients of an ACME authority's or the site's own
    certificate trust. None only where `source` is "internal"."""

    acme: AcmeSettings | None = None
    """The ACME authority; None unless `source` is "acme"."""

    files: FilesSettings | None = None
    """The site's files; None unless `source` is "files"."""

    key_type: Literal["ecdsa-p256", "ecdsa-p384", "rsa-3072"] = "ecdsa-p256"
    """Type of the private keys. P-256 is what every client with TLS 1.3 must know (RFC 8446, 9.1)
    and costs a handshake least; RSA costs the gateway some ten times as much."""

    renew_hours: int = Field(default=48, ge=1, le=72)
    """How often certificates are made anew, with new private keys; the site's own `files` are the
    site's to renew."""

    valid_hours: int = Field(default=96, ge=2, le=2160)
    """How long a certificate of the project's own is valid: at least 24 hours longer than
    `renew_hours`, to mend a failed renewal. An ACME authority decides by itself."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _refuse_names(self.names)
        _refuse_source(self)
        if self.valid_hours < self.renew_hours + SLACK_HOURS:
            raise ValueError(
                f"valid_hours is {self.valid_hours}, expected at least {SLACK_HOURS} more than "
                f"renew_hours ({self.renew_hours}): time to mend a failed renewal; set "
                f"valid_hours={self.renew_hours + SLACK_HOURS} or more."
            )
        return self

    def warnings(self, today: datetime.date) -> tuple[str, ...]:
        """Return what is allowed and unwise; raises FlightlineError for a root that is missing."""
        del today
        self._refuse_missing_roots()
        if self.enabled and self.source == "files":
            return (
                'source is "files": the private key is as old as the site lets it '
                "become; replace both files every 72 hours, or use an ACME authority.",
            )
        return ()

    def _refuse_missing_roots(self) -> None:
        named = {
            "PkiSettings.root_file": self.root_file,
            "AcmeSettings.server_root_file": self.acme.server_root_file if self.acme else None,
        }
        for field, file in named.items():
            if self.enabled and file is not None:
                project.refuse_missing(file, field)


def name_problem(name: str) -> str:
    """Return why a name cannot be in a certificate; empty when it can."""
    if is_address(name):
        return ""
    if "*" in name:
        return 'has a wildcard; list the names, or use source="files" for the site\'s certificate'
    if len(name) > 253 or not _HOST.fullmatch(name):
        return (
            "is neither a host name (lower-case letters, digits, - and ., at most 63 characters "
            "between dots and 253 in all; RFC 1123) nor an IP address; correct it"
        )
    if name.rpartition(".")[2].isdigit():
        return "ends like an IP address and is none; correct it"
    return ""


def _refuse_names(names: tuple[str, ...]) -> None:
    if not 1 <= len(names) <= NAMES_MAX:
        raise ValueError(f"names has {len(names)} entries, expected 1 to {NAMES_MAX}.")
    for name in names:
        if why := name_problem(name.replace("{node}", "node")):
            raise ValueError(f"names has {name!r}, which {why}.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"names has {', '.join(twice)} twice; keep one.")


def _refuse_source(settings: PkiSettings) -> None:
    for source, declared in (("acme", settings.acme), ("files", settings.files)):
        if settings.source == source and declared is None:
            raise ValueError(
                f'source is "{source}", but {source} is None; '
                f"set {source}={source.title()}Settings(...)."
            )
        if settings.source != source and declared is not None:
            raise ValueError(
                f'{source} is set, but source is "{settings.source}"; '
                f'set source="{source}" or drop {source}.'
            )
    if settings.source != "internal" and settings.root_file is None:
        raise ValueError(
            f'source is "{settings.source}", but root_file is None; name the PEM file of the '
            "authority that clients trust."
        )
    if settings.source == "internal" and settings.root_file is not None:
        raise ValueError(
            'root_file is set, but source is "internal", whose root is in authority_folder; '
            "drop root_file."
        )
    if settings.source == "acme":
        addresses = [name for name in settings.names if is_address(name)]
        if addresses:
            raise ValueError(
                f"names has {', '.join(addresses)}, but certbot asks for host names alone; drop "
                'the addresses or use source="internal".'
            )
