"""What must hold of the gateway's service and configuration; ports, engines and keys beside."""

from __future__ import annotations

import datetime
import re

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable, unknown
from flightline.serving.layout import GATEWAY_CONFIG, GATEWAY_SOCKET, GATEWAY_UNIT
from roles.gateway import (
    engine_checks,
    forward_checks,
    key_checks,
    log_checks,
    port_checks,
    prompt_checks,
)
from roles.gateway.evidence import report
from roles.gateway.settings import GatewaySettings

__all__ = [
    "engine_checks",
    "forward_checks",
    "key_checks",
    "log_checks",
    "port_checks",
    "prompt_checks",
]

APPLY = "run `flightline apply --role gateway`"
RUNS = ("gateway-unit-active",)


@check(
    "gateway-unit-active",
    "the gateway runs",
    severity=CRITICAL,
    remedy=f"`systemctl start {GATEWAY_UNIT}`; `journalctl -u {GATEWAY_UNIT}` says why it ended",
)
def unit_active(host: Host, settings: GatewaySettings) -> None:
    found = report(host, settings)
    active = found.of("active")
    assert active == "active", f"{GATEWAY_UNIT} is {active or 'unknown'}, expected active"
    assert found.of("live.Version"), f"HAProxy does not answer on {GATEWAY_SOCKET}"


@check(
    "gateway-unit-enabled",
    "the gateway starts at boot",
    severity=ERROR,
    remedy=f"`systemctl enable {GATEWAY_UNIT}`",
)
def unit_enabled(host: Host, settings: GatewaySettings) -> None:
    enabled = report(host, settings).of("enabled")
    assert enabled == "enabled", f"{GATEWAY_UNIT} is {enabled or 'unknown'}, expected enabled"


@check(
    "gateway-unit-current",
    "the gateway runs with its unit as it is on disk",
    severity=WARNING,
    remedy=f"`systemctl restart {GATEWAY_UNIT}` when answers may be waited for",
    depends=RUNS,
)
def unit_current(host: Host, settings: GatewaySettings) -> None:
    found = report(host, settings)
    assert found.of("unit.reload") != "yes", (
        f"the files of {GATEWAY_UNIT} changed after systemd read them, expected a daemon-reload"
    )
    started, changed = found.of("unit.started"), found.of("unit.changed")
    if not (started and changed):
        unknown(f"systemd does not say when {GATEWAY_UNIT} started.")
    assert int(changed) <= int(started), (
        f"{GATEWAY_UNIT} changed after the gateway started, expected a restart since "
        "(GatewaySettings.restart_allowed)"
    )


@check(
    "gateway-packaged-off",
    "the distribution's own HAProxy service is off",
    severity=ERROR,
    remedy="`systemctl disable --now haproxy.service`",
)
def packaged_off(host: Host, settings: GatewaySettings) -> None:
    active, _, enabled = report(host, settings).of("packaged").partition(" ")
    assert active != "active" and enabled != "enabled", (
        f"haproxy.service is {active} and {enabled}, expected it inactive and disabled: it may "
        "take the gateway's ports at boot"
    )


@check(
    "gateway-config-running",
    "the gateway runs the configuration that is on disk",
    severity=ERROR,
    remedy="`/usr/local/lib/flightline/gateway-ctl reload`, which says why it cannot",
    depends=RUNS,
)
def config_running(host: Host, settings: GatewaySettings) -> None:
    found = report(host, settings)
    live, told = found.of("live.description"), found.of("config.told")
    assert live == told, (
        f"the gateway runs configuration {live[:12] or 'unknown'}, expected {told[:12]} as "
        f"{GATEWAY_CONFIG} has it: a reload is owed"
    )


@check(
    "gateway-config-untouched",
    "nobody edited the configuration by hand",
    severity=ERROR,
    remedy=f"{APPLY}, which writes it anew",
)
def config_untouched(host: Host, settings: GatewaySettings) -> None:
    found = report(host, settings)
    digest, told = found.of("config.digest"), found.of("config.told")
    assert digest == told, (
        f"{GATEWAY_CONFIG} has digest {digest[:12]}, expected {told[:12] or 'none'} as it says "
        "itself"
    )


@check(
    "gateway-haproxy-supported",
    "HAProxy is a version that still gets fixes",
    severity=WARNING,
    remedy="plan the node's move to a newer release of its system",
)
def haproxy_supported(host: Host, settings: GatewaySettings) -> None:
    """Its own `haproxy -v` says until when: "will stop receiving fixes around Q2 2027"."""
    found = report(host, settings)
    end = re.search(r"around Q([1-4]) (\d{4})", found.of("status"))
    if end is None:
        unknown(f"`haproxy -v` does not say how long it is supported: {found.of('status')!r}.")
    now = datetime.datetime.fromtimestamp(int(found.of("now")), tz=datetime.UTC)
    quarter, year = int(end[1]), int(end[2])
    assert (now.year, (now.month + 2) // 3) <= (year, quarter), (
        f"HAProxy {found.of('installed')} stopped receiving fixes around Q{quarter} {year}, "
        "expected a release that still gets them"
    )


@check(
    "gateway-haproxy-current",
    "the gateway runs the HAProxy that is installed",
    severity=WARNING,
    remedy=f"`systemctl restart {GATEWAY_UNIT}` when answers may be waited for",
    depends=RUNS,
)
def haproxy_current(host: Host, settings: GatewaySettings) -> None:
    """After an upgrade without a restart the old program runs on."""
    found = report(host, settings)
    installed, runs = found.of("installed"), found.of("live.Version")
    if not installed:
        unknown("haproxy -v does not say which version is installed.")
    assert runs == installed, f"HAProxy {runs} runs, expected {installed} as installed"


@check(
    "gateway-files-limit",
    "the gateway may open a file for each connection and for its engine's",
    severity=ERROR,
    remedy=f"{APPLY}, then restart the unit: its LimitNOFILE follows max_connections",
    depends=RUNS,
)
def files_limit(host: Host, settings: GatewaySettings) -> None:
    found = report(host, settings)
    connections, files = int(found.of("live.Maxconn")), int(found.of("live.Ulimit-n"))
    assert connections >= settings.max_connections, (
        f"HAProxy takes {connections} connections, expected at least {settings.max_connections} "
        "(GatewaySettings.max_connections)"
    )
    assert files >= 2 * connections, (
        f"HAProxy may open {files} files, expected at least {2 * connections} for {connections} "
        "connections"
    )


@check(
    "gateway-socket-private",
    "only root commands the gateway",
    severity=CRITICAL,
    remedy=f"`chmod 600 {GATEWAY_SOCKET}`, then look for who changed it",
    depends=RUNS,
)
def socket_private(host: Host, settings: GatewaySettings) -> None:
    """Whoever writes to the socket adds keys, empties limits and moves requests."""
    found = report(host, settings).of("socket.mode") or "missing"
    assert found == "600 root:root", f"{GATEWAY_SOCKET} is {found}, expected 600 root:root"


@check(
    "gateway-tokens-key",
    "the identity provider's key fits the declared algorithm",
    severity=CRITICAL,
    remedy=f"{APPLY}; see docs/runbooks/gateway.md#gateway-tokens-key",
)
def tokens_key(host: Host, settings: GatewaySettings) -> None:
    found = report(host, settings)
    if settings.jwt is None:
        not_applicable("GatewaySettings.jwt is None")
    bits = int(found.of("jwt.bits") or 0)
    is_rsa, curve = found.of("jwt.kind") == "RSA", found.of("jwt.curve")
    fits = is_rsa and bits >= 2048 if settings.jwt.algorithm == "RS256" else curve == "prime256v1"
    # RFC 7518, 3.3: a key of 2048 bits or larger; 3.4: ES256 is ECDSA with P-256
    assert fits, (
        f"the key is {'RSA' if is_rsa else curve or 'none'} of {bits} bits, expected one for "
        f"{settings.jwt.algorithm} (JwtSettings.key_file)"
    )
