"""What is declared for the gateway of every sound machine; gateway_log.py has what its log says."""

from __future__ import annotations

from roles.gateway.log_settings import AuditLogSettings, SiemSettings
from roles.gateway.settings import GatewaySettings

DECLARED = GatewaySettings(
    enabled=True,
    audit_log=AuditLogSettings(
        siem=SiemSettings(
            host="siem.example.org",
            ca_file="/etc/flightline/pki/siem-ca.pem",
            permitted_peers=("siem.example.org",),
            certificate_file="/etc/flightline/pki/node.pem",
            key_file="/etc/flightline/pki/node.pem",
        )
    ),
)


def settings(name: str) -> GatewaySettings:
    """Return what is declared for every such machine."""
    del name
    return DECLARED
