"""Certificates for the gateway and between nodes, made anew by a timer with new keys."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from roles.pki.operations import node_certified, pki_files
from roles.pki.settings import AcmeSettings, FilesSettings, PkiSettings

__all__ = ["AcmeSettings", "FilesSettings", "PkiSettings", "pki"]


@deploy("PKI")
def pki(settings: PkiSettings, node: str, address: str | None) -> None:
    """The node has its certificates, and a timer that makes them anew.

    `address`: where other nodes reach this one (`serving_address`); in its certificate between
    nodes. None: there is no such address.
    """
    pki_files(
        name="Write programs, timer and trusted roots",
        settings=settings, node=node, address=address,
    )  # fmt: skip
    node_certified(
        name="Make the node's certificates", settings=settings, node=node, address=address
    )
