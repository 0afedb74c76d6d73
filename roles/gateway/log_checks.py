"""What must hold of the audit log's files: written, private, kept, complete."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable
from roles.gateway import audit_log, log_evidence
from roles.gateway.log_evidence import LogReport, moment, seconds_of_name
from roles.gateway.settings import GatewaySettings

APPLY = "run `flightline apply --role gateway`"
DAY = 86_400
SLACK_SECONDS = 60
"""A clock may be set by so much; more is a step, after which lines have no order."""


@check(
    "gateway-log-written",
    "a request that was just made is in the audit log",
    severity=CRITICAL,
    remedy="`journalctl -u flightline-audit-log`, `journalctl -u flightline-gateway`",
    depends=("gateway-log-collector",),
)
def log_written(host: Host, gateway: GatewaySettings) -> None:
    found = log_evidence.running(host, gateway)
    assert found.one("probe") == "yes", (
        f"a request to port {gateway.port} was not in {audit_log.LOG_FILE} within 5 s, expected "
        "one line for each request"
    )


@check(
    "gateway-log-private",
    "only root and the group adm read the audit log",
    severity=ERROR,
    remedy=f"{APPLY}; look for who changed it",
)
def log_private(host: Host, gateway: GatewaySettings) -> None:
    found = log_evidence.report(host, gateway)
    wanted = {audit_log.LOG_FOLDER: "750 root adm"}
    wrong = [
        f"{each.path} is {state}, expected {wanted.get(each.path, '640 root adm')}"
        for each in found.files
        if (state := f"{each.mode} {each.owner} {each.group}")
        != wanted.get(each.path, "640 root adm")
    ]
    assert not wrong, "; ".join(wrong)


@check(
    "gateway-log-retention",
    "the rotation that runs keeps closed files at least as long as declared",
    severity=CRITICAL,
    remedy=APPLY,
)
def log_retention(host: Host, gateway: GatewaySettings) -> None:
    rotation = log_evidence.report(host, gateway).rotation
    kept, count = rotation.get("maxage", "0"), rotation.get("rotate", "0")
    wanted = gateway.audit_log.retention_days
    assert kept.isdigit() and int(kept) >= wanted, (
        f"files are removed after {kept} days, expected at least {wanted} "
        "(AuditLogSettings.retention_days)"
    )
    assert count == "-1", f"only {count} files are kept, expected all of {wanted} days (rotate -1)"


@check(
    "gateway-log-rotating",
    "closed files come about: the timer runs, and logrotate understands its file",
    severity=ERROR,
    remedy="`systemctl status flightline-audit-rotate.timer flightline-audit-rotate.service`",
)
def log_rotating(host: Host, gateway: GatewaySettings) -> None:
    found = log_evidence.report(host, gateway)
    timer = found.units.get(log_evidence.ROTATE_TIMER, {})
    assert timer.get("ActiveState") == "active" and timer.get("UnitFileState") == "enabled", (
        f"{log_evidence.ROTATE_TIMER} is {timer.get('ActiveState')} and "
        f"{timer.get('UnitFileState')}, expected active and enabled"
    )
    result = found.units.get(log_evidence.ROTATE_UNIT, {}).get("Result")
    assert result == "success", f"the last run of logrotate ended with {result}, expected success"
    said = found.all("rotating")
    assert any(audit_log.LOG_FILE in line for line in said if line.startswith("rotating")), (
        f"logrotate would not rotate {audit_log.LOG_FILE}: {'; '.join(said) or 'it said nothing'}"
    )


@check(
    "gateway-log-complete",
    "every file that was closed within the retention is still there",
    severity=CRITICAL,
    remedy="find out who removed it; the SIEM has its lines, where one is declared",
)
def log_complete(host: Host, gateway: GatewaySettings) -> None:
    found = log_evidence.report(host, gateway)
    there = {each.name for each in found.closed}
    oldest = found.number("now") - gateway.audit_log.retention_days * DAY
    missing = [
        name for name in found.all("index") if name not in there and seconds_of_name(name) > oldest
    ]
    assert not missing, (
        f"{', '.join(missing)} was closed and is gone, expected it for "
        f"{gateway.audit_log.retention_days} days (AuditLogSettings.retention_days)"
    )


@check(
    "gateway-log-secrets",
    "no API key is in the audit log",
    severity=CRITICAL,
    remedy="revoke the key at once, then find which field it is in",
)
def log_secrets(host: Host, gateway: GatewaySettings) -> None:
    count = log_evidence.report(host, gateway).number("secrets")
    assert count == 0, f"{count} lines of {audit_log.LOG_FILE} have what looks like a key (fl-...)"


@check(
    "gateway-log-clock",
    "times in the audit log go forward and are not ahead of the clock",
    severity=ERROR,
    remedy="`chronyc tracking`: mend the node's time; note the step in your records",
)
def log_clock(host: Host, gateway: GatewaySettings) -> None:
    found = log_evidence.report(host, gateway)
    times = found.all("time")
    seconds = [moment(each) for each in times]
    back = [
        f"{later} follows {earlier}"
        for earlier, later, before, after in zip(
            times, times[1:], seconds, seconds[1:], strict=False
        )
        if before - after > SLACK_SECONDS
    ]
    assert not back, f"the clock was set back: {back[-1]}, expected at most {SLACK_SECONDS} s"
    ahead = seconds[-1] - found.number("now") if seconds else 0
    assert ahead <= SLACK_SECONDS, f"the last line is {ahead:.0f} s ahead of the node's clock"


@check(
    "gateway-log-room",
    "the disk has room for the whole retention",
    severity=ERROR,
    remedy="give /var/log a larger disk; closed files within the retention must stay",
)
def log_room(host: Host, gateway: GatewaySettings) -> None:
    found = log_evidence.report(host, gateway)
    declared = gateway.audit_log
    free = found.number("free-kib") / 1024**2
    assert free >= declared.min_free_gib, (
        f"{free:.1f} GiB are free beside the audit log, expected at least {declared.min_free_gib} "
        "(AuditLogSettings.min_free_gib)"
    )
    used, days = _used_gib(found), _days(found)
    lacking = used / days * declared.retention_days - used
    assert free >= lacking, (
        f"{free:.1f} GiB are free, expected {lacking:.1f}: {used:.1f} GiB came in {days:.0f} days, "
        f"to be kept for {declared.retention_days} (AuditLogSettings.retention_days)"
    )


def _used_gib(found: LogReport) -> float:
    return sum(each.size for each in found.files if "/audit.log" in each.path) / 1024**3


def _days(found: LogReport) -> float:
    """How long the files that are there took to come, at least one day."""
    began = [float(each.modified) for each in found.closed[:1]]
    began += [moment(each) for each in found.all("first-time")]
    return max((found.number("now") - min(began)) / DAY, 1) if began else 1


@check(
    "gateway-log-reader",
    "administrators can read the audit log through the gateway",
    severity=WARNING,
    remedy="`systemctl status flightline-audit.socket`; `journalctl -u 'flightline-audit@*'`",
)
def log_reader(host: Host, gateway: GatewaySettings) -> None:
    found = log_evidence.report(host, gateway)
    if not any(each.path == audit_log.LOG_FILE for each in found.files):
        not_applicable("there is no audit log yet; gateway-log-written judges that.")
    said = found.one("reader")
    assert said == "HTTP/1.1 200 OK", (
        f"{audit_log.AUDIT_SOCKET} answers {said or 'nothing'}, expected HTTP/1.1 200 OK"
    )
