"""What must hold of the gateway's ports, tried from the node itself."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, unknown
from roles.gateway.evidence import public, report
from roles.gateway.settings import GatewaySettings

RUNS = ("gateway-unit-active",)
APPLY = "run `flightline apply --role gateway`"
_LOOPBACK = ("127.", "[::1]")


@check(
    "gateway-tls-floor",
    "clients get TLS 1.3, and nothing older",
    severity=CRITICAL,
    remedy=APPLY,
    depends=(*RUNS, "gateway-config-running"),
)
def tls_floor(host: Host, settings: GatewaySettings) -> None:
    found = public(host, settings)
    new, old = found.of("tls.new"), found.of("tls.old")
    assert new == "TLSv1.3", f"a client of TLS 1.3 gets {new or 'nothing'}, expected TLSv1.3"
    assert old in ("", "(NONE)"), f"a client of TLS 1.2 gets {old}, expected to be refused"


@check(
    "gateway-tls-http2",
    "clients get HTTP/2 where they offer it",
    severity=ERROR,
    remedy=APPLY,
    depends=("gateway-tls-floor",),
)
def tls_http2(host: Host, settings: GatewaySettings) -> None:
    found = public(host, settings).of("tls.alpn")
    assert found == "h2", f"a client that offers h2 is answered {found or 'nothing'}, expected h2"


@check(
    "gateway-plain-refused",
    "HTTP without TLS is not answered",
    severity=CRITICAL,
    remedy=APPLY,
    depends=("gateway-tls-floor",),  # a port that answers nobody would seem to refuse
)
def plain_refused(host: Host, settings: GatewaySettings) -> None:
    found = public(host, settings).of("plain")
    assert not found.startswith("HTTP"), (
        f"port {settings.port} answers plain HTTP, expected no answer (GatewaySettings.port)"
    )


@check(
    "gateway-keys-required",
    "without a key there is no answer",
    severity=CRITICAL,
    remedy=APPLY,
    depends=("gateway-tls-floor",),
)
def keys_required(host: Host, settings: GatewaySettings) -> None:
    status = public(host, settings).answers.get("/v1/models", "none")
    assert status == "401", f"GET /v1/models without a key gets {status}, expected 401"


@check(
    "gateway-paths-closed",
    "paths that are not offered are not there, however they are written",
    severity=CRITICAL,
    remedy=APPLY,
    depends=("gateway-tls-floor",),
)
def paths_closed(host: Host, settings: GatewaySettings) -> None:
    answers = public(host, settings).answers
    others = {path: status for path, status in answers.items() if path != "/v1/models"}
    open_ones = [f"{path} ({status})" for path, status in others.items() if status != "404"]
    assert others and not open_ones, (
        f"without a key, {', '.join(open_ones) or 'nothing'} is answered, expected 404"
    )


@check(
    "gateway-metrics-loopback",
    "Prometheus' exporter is reached from the node alone",
    severity=CRITICAL,
    remedy=APPLY,
    depends=RUNS,
)
def metrics_loopback(host: Host, settings: GatewaySettings) -> None:
    listening = report(host, settings).all("listens")
    wanted = f"127.0.0.1:{settings.metrics_port}"
    found = [each for each in listening if each.endswith(f":{settings.metrics_port}")]
    assert found == [wanted], (
        f"the exporter listens on {', '.join(found) or 'nothing'}, expected {wanted} "
        "(GatewaySettings.metrics_port)"
    )


@check(
    "gateway-clients-port",
    "clients reach the gateway where it is declared, and nowhere else",
    severity=CRITICAL,
    remedy=APPLY,
    depends=(*RUNS, "gateway-config-running"),
)
def clients_port(host: Host, settings: GatewaySettings) -> None:
    found = report(host, settings)
    address = "0.0.0.0" if settings.address == "*" else settings.address  # noqa: S104 - compared
    at_port = [each for each in found.all("listens") if each.endswith(f":{settings.port}")]
    told = [each.replace("*:", "0.0.0.0:") for each in at_port]
    bracketed = f"[{address}]" if ":" in address else address
    wanted = [f"{bracketed}:{settings.port}"] if settings.public else []
    assert told == wanted, (
        f"HAProxy listens on {', '.join(told) or 'nothing'}, expected "
        f"{', '.join(wanted) or 'nothing'} (GatewaySettings.address, port, public)"
    )


@check(
    "gateway-doors-closed",
    "what else HAProxy offers outside of the node wants a certificate of the fleet",
    severity=CRITICAL,
    remedy=APPLY,
    depends=RUNS,
)
def doors_closed(host: Host, settings: GatewaySettings) -> None:
    """Engines have no protection of their own: their doors are the only one."""
    doors = [line.split() for line in report(host, settings).all("door")]
    open_ones = [door for door, *said in doors if said == ["open"]]
    assert not open_ones, (
        f"{', '.join(open_ones)} answers without a client's certificate, expected none to be served"
    )
    silent = [door for door, *said in doors if said != ["closed"]]
    if silent:
        unknown(f"{', '.join(silent)} gave a client without a certificate no answer that says why.")
