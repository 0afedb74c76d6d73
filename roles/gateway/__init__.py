"""The secured way in: HAProxy with TLS 1.3, keys, roles, limits and an audit log."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.deploy import deploy

from flightline.serving.upstreams import Upstream
from roles.gateway.operations import gateway_configured, gateway_installed, gateway_running
from roles.gateway.settings import GatewaySettings

__all__ = ["GatewaySettings", "gateway"]


@deploy("Gateway")
def gateway(
    settings: GatewaySettings, node: str, address: str | None, upstreams: Sequence[Upstream]
) -> None:
    """The gateway is configured as declared and runs; nothing that it served was dropped.

    `upstreams`: the services of all nodes that this gateway can reach, its own included.
    `address`: where gateways of other nodes reach this node's engines; None: they do not.
    """
    if not settings.enabled:
        return
    gateway_installed(name="Install HAProxy", settings=settings)
    gateway_configured(
        name="Write the gateway's configuration",
        settings=settings,
        node=node,
        address=address,
        upstreams=upstreams,
    )
    gateway_running(name="Run the gateway", settings=settings, upstreams=upstreams)
