"""Certificates for the gateway and between nodes, made anew by a timer with new keys."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from roles.pki.settings import PkiSettings

__all__ = ["PkiSettings", "pki"]


@deploy("PKI")
def pki(settings: PkiSettings, node: str, address: str | None) -> None:
    """The node has its certificates, and a timer that makes them anew.

    `address`: where other nodes reach this one (`serving_address`); in its certificate between
    nodes. None: there is no such address.
    """
