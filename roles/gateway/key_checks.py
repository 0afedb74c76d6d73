"""What must hold of API keys on a gateway."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check
from flightline.serving import layout
from roles.gateway import log_evidence
from roles.gateway.settings import GatewaySettings

LOAD = f"`{layout.GATEWAY_KEYS_LOAD}` on the node, or `flightline key push INVENTORY`"


@check(
    "gateway-keys-live",
    "the running gateway honours exactly the keys of its file",
    severity=CRITICAL,
    remedy=LOAD,
)
def keys_live(host: Host, gateway: GatewaySettings) -> None:
    found = log_evidence.running(host, gateway)
    trouble = found.one("keys-trouble")
    assert not trouble, f"the gateway does not say its keys: {trouble}"
    extra, lacking = found.all("keys-only-live"), found.all("keys-only-file")
    assert not extra, (
        f"the gateway honours {', '.join(extra)} beyond {layout.GATEWAY_KEYS}, expected its keys "
        "alone"
    )
    assert not lacking, (
        f"the gateway does not honour {', '.join(lacking)} as {layout.GATEWAY_KEYS} has it"
    )


@check(
    "gateway-keys-private",
    "only root reads and writes the gateway's keys file",
    severity=ERROR,
    remedy="run `flightline apply --role gateway`; look for who changed it",
)
def keys_private(host: Host, gateway: GatewaySettings) -> None:
    found = log_evidence.report(host, gateway)
    mode = found.one("keys-mode")
    assert mode == "600 root", (
        f"{layout.GATEWAY_KEYS} is {mode or 'not there'}, expected 600 root: who writes it "
        "lets anybody in"
    )


@check(
    "gateway-keys-expired",
    "no key past its expiry is left in the running gateway",
    severity=WARNING,
    remedy="`flightline key push INVENTORY`: it is refused already, by its expiry alone",
)
def keys_expired(host: Host, gateway: GatewaySettings) -> None:
    expired = log_evidence.running(host, gateway).all("keys-expired")
    assert not expired, (
        f"{', '.join(expired)} has expired and is still in the gateway's map, expected it gone"
    )
