"""The audit log's files and units on a gateway: collector, rotation, reader."""

from __future__ import annotations

import shlex

from flightline.operations.bundle import Directory, File, Hook, Item
from flightline.operations.services import Service
from flightline.serving import layout
from flightline.templates import render
from roles.gateway import audit_log
from roles.gateway.log_settings import AuditLogSettings, SiemSettings

CONFIG = f"{layout.GATEWAY}/audit-log.conf"
ROTATE = f"{layout.GATEWAY}/audit-rotate.conf"
ROTATE_STATE = "/var/lib/flightline/gateway/audit-rotate.state"
READER = f"{layout.PROGRAMS}/audit-read"
MOST_LINES = 10_000
"""Lines of one reading: about 5 MB, a second of work."""

COLLECTOR = "flightline-audit-log.service"
_UNITS = "/etc/systemd/system"
_COLLECTOR_SOCKET = f"{_UNITS}/flightline-audit-log.socket"
_COLLECTOR_UNIT = f"{_UNITS}/{COLLECTOR}"
_READER_SOCKET = f"{_UNITS}/flightline-audit.socket"
_READER_UNIT = f"{_UNITS}/flightline-audit@.service"
_ROTATE_UNIT = f"{_UNITS}/flightline-audit-rotate.service"
_TIMER = f"{_UNITS}/flightline-audit-rotate.timer"

SERVICES = (
    Service("flightline-audit-log.socket"),
    Service(COLLECTOR),
    Service("flightline-audit.socket"),
    Service("flightline-audit-rotate.timer"),
)
"""What runs, before the gateway does."""


# The folder of the queue comes with the same bundle, so it may not be there yet. What rsyslogd
# would not start with, such as a missing file of authorities, stops the converge here.
_VALIDATE = """\
trial={staged}.trial; sed 's|workDirectory="[^"]*"|workDirectory="/tmp"|' {staged} >"$trial"
rsyslogd -N1 -f "$trial"; said=$?; rm -f "$trial"; exit "$said"
"""

# A socket cannot be replaced under a service that has it.
_NEW_SOCKET = f"""\
if systemctl -q is-active flightline-audit-log.socket; then
    systemctl stop {COLLECTOR} && systemctl restart flightline-audit-log.socket &&
        systemctl start {COLLECTOR}
fi"""


def packages(settings: AuditLogSettings) -> tuple[str, ...]:
    """Return the packages of collector and rotation; the same names on every distribution."""
    return ("rsyslog", "logrotate", *(_driver(settings.siem) if settings.siem else ()))


def _driver(siem: SiemSettings) -> tuple[str, ...]:
    if siem.protocol == "relp":
        return ("rsyslog-relp",)
    return ("rsyslog-gnutls" if siem.tls_library == "gtls" else "rsyslog-openssl",)


def items(settings: AuditLogSettings) -> tuple[Item, ...]:
    """Return every path of the audit log, but the log itself."""
    return (
        Directory(audit_log.LOG_FOLDER, mode="750", group="adm"),
        Directory(audit_log.QUEUE_FOLDER, mode="700"),
        _file(CONFIG, _VALIDATE, **_collector(settings)),
        _file(
            ROTATE, "logrotate --debug --state /dev/null {staged}", settings=settings,
            keep_index=keep_index(),
        ),
        _file(READER, "sh -n {staged}", log=audit_log.LOG_FILE, most=MOST_LINES),
        _file(_COLLECTOR_SOCKET),
        _file(_COLLECTOR_UNIT, config=CONFIG),
        _file(_READER_SOCKET),
        _file(_READER_UNIT, reader=READER),
        _file(_ROTATE_UNIT, config=ROTATE, state=ROTATE_STATE),
        _file(_TIMER),
    )  # fmt: skip


def hooks() -> tuple[Hook, ...]:
    """Return what makes changes take effect; lines wait in the socket meanwhile."""
    units = (_COLLECTOR_SOCKET, _COLLECTOR_UNIT, _READER_SOCKET, _READER_UNIT, _ROTATE_UNIT, _TIMER)
    return (
        Hook("systemctl daemon-reload", units),
        Hook(_NEW_SOCKET, (_COLLECTOR_SOCKET,)),
        Hook(f"systemctl try-restart {COLLECTOR}", (CONFIG, _COLLECTOR_UNIT)),
        Hook("systemctl try-restart flightline-audit.socket", (_READER_SOCKET,)),
        Hook("systemctl try-restart flightline-audit-rotate.timer", (_TIMER,)),
    )


def keep_index() -> str:
    """Return the command that notes each closed file, so that a missing one is noticed."""
    folder, index = map(shlex.quote, (audit_log.LOG_FOLDER, audit_log.INDEX_FILE))
    return (
        f"{{ cat {index}; ls {folder} | sed -n 's/^\\(audit.log-[0-9]*\\).*/\\1/p'; }} 2>/dev/null "
        f"| sort -u >{index}.new; sync {index}.new; mv -f {index}.new {index}"
    )


def _collector(settings: AuditLogSettings) -> dict[str, object]:
    siem = settings.siem
    return {
        "settings": settings,
        "siem": siem,
        "peers": ", ".join(f'"{peer}"' for peer in siem.permitted_peers) if siem else "",
    }


def _file(path: str, validate: str | None = None, **values: object) -> File:
    mode = "755" if path.startswith(layout.PROGRAMS) else "644"
    content = render(f"gateway{path}.j2", **{"log": audit_log, **values})
    return File(path, content, mode=mode, validate=validate)
