"""The audit log: what HAProxy writes of each request, and where it goes.

HAProxy sends one JSON object for each request as a datagram to LOG_SOCKET. systemd holds that
socket, so that nothing is lost while the collector restarts; the collector is an rsyslog of the
gateway's own (audit_files.py).

What the gateway's configuration sets before the first rule that can refuse a request:
`txn.who` (name of the key, or the JWT's subject), `txn.role`, `txn.auth` ("key" or "jwt"), and
`txn.model`. A variable that is not set shows as "-".
"""

from __future__ import annotations

from flightline.serving import keys
from roles.gateway.log_settings import AuditLogSettings

SOCKETS = "/run/flightline-audit"
LOG_SOCKET = f"{SOCKETS}/log"
"""Takes HAProxy's lines: a datagram socket, outside of any chroot."""
AUDIT_SOCKET = f"{SOCKETS}/read"
"""Answers `GET /admin/audit?lines=N` over HTTP/1.1, one request for each connection, as
application/x-ndjson: a server `unix@/run/flightline-audit/read` of HAProxy, for admins only."""

LOG_FOLDER = "/var/log/flightline"
LOG_FILE = f"{LOG_FOLDER}/audit.log"
QUEUE_FOLDER = f"{LOG_FOLDER}/queue"
STATS_FILE = f"{LOG_FOLDER}/audit-stats.log"
INDEX_FILE = f"{LOG_FOLDER}/audit.index"

WITHOUT_KEYS = f"regsub('{keys.PATTERN}',{keys.PREFIX},g)"
"""HAProxy's converter that takes out keys which a client put where they are logged."""

UNIQUE_ID = "%[uuid()]"
"""For `unique-id-format`: what the log's `request` holds and `x-request-id` returns."""

# The longest that each part of a client's making may be, bytes; JSON writes a byte in up to six.
_WHO, _MODEL, _PATH = 128, 128, 256
_LINE = 4096  # the other fields, and the above six times as long


def log_target(settings: AuditLogSettings) -> str:
    """Return HAProxy's `log` line, for the frontend that clients reach and for no other proxy."""
    return f"log {LOG_SOCKET} len {_LINE + 6 * settings.prompt_bytes} format raw local0 info"


def request_captures(settings: AuditLogSettings) -> tuple[str, ...]:
    """Return the frontend's first rules: what is later known of a request only if kept now."""
    prompt = f"http-request set-var(txn.prompt) req.body,bytes(0,{settings.prompt_bytes})"
    return (
        "http-request set-var(txn.method) method",
        # a key that a client sent as a path by mistake is not kept
        f"http-request set-var(txn.path) path,{WITHOUT_KEYS},bytes(0,{_PATH})",
        *((prompt,) if settings.prompt_bytes else ()),
    )


def response_captures() -> tuple[str, ...]:
    """Return the rules on a response: which slot gave it (layout.server: node.service-slot)."""
    return ("http-response set-var(txn.slot) srv_name,regsub(^.*-,)",)


def log_format(settings: AuditLogSettings) -> str:
    """Return the argument of HAProxy's `log-format`, in single quotes: one JSON object.

    What a client can choose goes through HAProxy's json() converter, so that nothing in it ends a
    string. `time` is when the line was written, at the end of the answer; `total_ms` earlier, the
    request had arrived. -1 ms: it did not get that far. For HAProxy 2.4 to 3.0: no accept_date, no
    ms_utime (docs.haproxy.org 2.4 and 3.0, 7.3 and 8.2.4, read 2026-11-21).
    """
    return "'{" + ",".join(f'"{name}":{value}' for name, value in _fields(settings)) + "}'"


def _fields(settings: AuditLogSettings) -> tuple[tuple[str, str], ...]:
    return (
        ("time", f'"{_TIME}"'),
        ("request", '"%ID"'),
        ("who", _text("who", _WHO)),
        ("role", _text("role", _WHO)),
        ("auth", _text("auth", _WHO)),
        ("source", '"%ci"'),
        ("source_port", "%cp"),
        ("tls", '"%sslv"'),
        ("method", _text("method", _WHO)),
        ("path", _text("path", _PATH)),
        ("model", _text("model", _MODEL)),
        ("status", "%ST"),
        ("bytes_in", "%U"),
        ("bytes_out", "%B"),
        ("headers_ms", "%Tr"),
        ("total_ms", "%Ta"),
        ("backend", '"%b"'),
        ("server", '"%s"'),
        ("slot", _text("slot", _WHO)),
        ("termination", '"%ts"'),
        *((("prompt", _text("prompt", settings.prompt_bytes)),) if settings.prompt_bytes else ()),
    )


# Milliseconds with leading zeros: 1000 to 1999 without the first digit.
_TIME = "%[date,utime(%Y-%m-%dT%H:%M:%S)].%[date(0,ms),mod(1000),add(1000),regsub(^1,)]Z"


def _text(variable: str, most_bytes: int) -> str:
    """A JSON string; left out is what is no UTF-8, at the cut as well, and emoji (HAProxy 2.6)."""
    return f'"%[var(txn.{variable}),bytes(0,{most_bytes}),json(utf8s)]"'
