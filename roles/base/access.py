"""Settings of who may log in to a node and how: operators and sshd. Re-exported by settings.py."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from flightline.settings import Settings

AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
"""What useradd of Debian and RHEL both accept (useradd(8), "CAVEATS", read 2026-11-21)."""

# ssh-dss is gone from OpenSSH 7.0 on; certificates are the site's authority's, not one account's.
_KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)


class OperatorSettings(Settings):
    """One person or program that works on the node through SSH and sudo."""

    name: AccountName
    """Login name; made when it is missing, never removed. Not root: sshd's own settings rule it."""

    authorized_keys: tuple[str, ...] = ()
    """Public keys, one line each (`ssh-ed25519 AAAA... comment`), added to what the account has.

    Others' keys stay: taking away a key could take away the last way in. Empty: the site manages
    the keys, and the account must have at least one.
    """

    groups: tuple[AccountName, ...] = ("adm", "systemd-journal")
    """Further groups, added to those it has; the default reads logs and the journal without sudo.

    A group that is missing is made as a system group. `docker` is refused: whoever is in it is
    root without a trace in sudo's log.
    """

    shell: Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9/._-]+$")] = "/bin/bash"
    """Login shell of an account that has to be made; an account that is there keeps its own."""

    sudo: bool = True
    """True: may become root without a password. Runs are not interactive, the account has no
    password, and the SSH key has already proven who it is. False: no sudo from Flightline."""

    @field_validator("name")
    @classmethod
    def _is_not_root(cls, name: str) -> str:
        if name == "root":
            raise ValueError("is root, expected an ordinary account; name one and give it sudo")
        return name

    @field_validator("groups")
    @classmethod
    def _is_not_root_in_disguise(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        if "docker" in groups:
            raise ValueError("names docker, which is root without a log; use sudo docker instead")
        return groups

    @field_validator("authorized_keys")
    @classmethod
    def _are_public_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for number, key in enumerate(keys, start=1):
            _refuse_what_is_no_public_key(number, key)
        return tuple(key.strip() for key in keys)


def _refuse_what_is_no_public_key(number: int, key: str) -> None:
    """Raise ValueError without quoting the key: it may be a private one pasted by mistake."""
    if "PRIVATE KEY" in key:
        raise ValueError(f"number {number} is a private key; give the line of the .pub file")
    parts = key.split()
    if len(parts) < 2 or parts[0] not in _KEY_TYPES or "\n" in key.strip():
        raise ValueError(
            f"number {number} is not one line `type base64 comment` with a type of "
            f"{', '.join(_KEY_TYPES)}; give the line of the .pub file"
        )
    if not _names_its_own_type(parts[0], parts[1]):
        raise ValueError(f"number {number} is cut off or damaged; copy the whole line again")


def _names_its_own_type(kind: str, encoded: str) -> bool:
    """A key's blob starts with the length and name of its type (RFC 4253, section 6.6)."""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return False
    prefix = len(kind).to_bytes(4, "big") + kind.encode()
    return blob.startswith(prefix) and len(blob) > len(prefix) + 16


class SshdSettings(Settings):
    """How sshd lets people in. Judged on the node before it is put in place: a change that would
    shut out the account which Flightline itself uses is refused there."""

    password_authentication: bool = False
    """False: keys only, also for keyboard-interactive; guessing passwords is then pointless."""

    permit_root_login: Literal["no", "prohibit-password"] = "prohibit-password"
    """`prohibit-password`: root by key, the way in of most bare installations. `no`: operators
    only; refused on the node while Flightline itself connects as root."""

    allow_users: tuple[AccountName, ...] = ()
    """Only these accounts may log in; empty: no such list. Plain names, no patterns, so that it can
    be judged before it is put in place; it must hold every declared operator."""

    max_auth_tries: int = Field(default=6, ge=2, le=20)
    """Tries per connection; OpenSSH's own default, because an agent offers its keys one by one and
    each counts as a try."""

    client_alive_interval_seconds: int = Field(default=60, ge=0, le=3600)
    """Seconds of silence before sshd asks whether the client is there; 0: never. Three questions
    without an answer end the session, so a lost connection frees its lock after 3 minutes."""


class HostEntry(Settings):
    """One line for /etc/hosts: an address and its names."""

    address: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f:.]+$")]
    """IPv4 or IPv6 address."""

    names: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$")], ...]
    """Names, the canonical one first."""

    @model_validator(mode="after")
    def _has_a_name(self) -> HostEntry:
        if not self.names or not re.search(r"[0-9A-Fa-f]", self.address):
            raise ValueError(f"{self.address} has no name; give names=('node.example.org',)")
        return self
