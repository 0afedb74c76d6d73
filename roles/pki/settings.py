"""Where a node's certificates come from, and how often they are new."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flightline.settings import Settings


class PkiSettings(Settings):
    """Certificates of the gateway, and between nodes."""

    enabled: bool = False
    """Whether this node has certificates. False, the default: nothing is installed and nothing is
    touched."""

    source: Literal["internal", "acme", "files"] = "internal"
    """Who signs what clients meet: an authority of the project's own, whose root is in
    `authority_folder`; an ACME authority, such as step-ca; or files that the site supplies."""

    names: tuple[str, ...] = ("{node}",)
    """Host names and addresses of the gateway's certificate; {node} is the inventory's name."""

    authority_folder: str = "authority"
    """Folder of the internal authority, on the operator's computer; relative to the project's. Its
    root.key signs one authority for each node, which can sign for that node's names alone."""

    renew_hours: int = Field(default=48, ge=1, le=72)
    """How often certificates are made anew, with new private keys."""

    valid_hours: int = Field(default=96, ge=2, le=2160)
    """How long a certificate is valid: long enough to mend a failed renewal."""
