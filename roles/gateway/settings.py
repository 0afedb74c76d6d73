"""The secured way in: who may ask which model, how much, and what is kept of it."""

from __future__ import annotations

from pydantic import Field

from flightline.settings import Settings


class GatewaySettings(Settings):
    """HAProxy in front of the engines."""

    enabled: bool = False
    """Whether this node is a gateway, and lets other gateways reach its engines. False, the
    default: nothing is installed and nothing is touched."""

    public: bool = True
    """Whether clients enter here. False: the node only lets other gateways reach its engines."""

    address: str = "*"
    """Address that clients reach; "*": every address of the node."""

    port: int = Field(default=8443, ge=1, le=65_535)
    """Port that clients reach, over TLS 1.3."""

    keys_file: str = "keys.yaml"
    """API keys' hashes, kept by `flightline key`; relative to the project's folder. The keys
    themselves are nowhere."""
