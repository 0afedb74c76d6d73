"""What must hold of the way of a line: from HAProxy to the collector, from there to the SIEM."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, not_applicable, unknown
from roles.gateway import audit_log, log_evidence
from roles.gateway.log_evidence import LogReport
from roles.gateway.log_settings import SiemSettings
from roles.gateway.settings import GatewaySettings

STUCK_SAMPLES = 3
"""Figures come every 10 s: lines that wait in three of them, with nothing sent, are stuck."""
BACKLOG_LINES = 100
"""Where rsyslog counts no bytes (RELP): so many lines waiting in all of them are stuck."""
KIND_OF = {"ca_file": ("CAFile", "caCert"), "certificate_file": ("CertFile", "myCert")}


@check(
    "gateway-log-collector",
    "the audit log's collector runs, starts at boot, and holds HAProxy's socket",
    severity=CRITICAL,
    remedy="`systemctl status flightline-audit-log.socket flightline-audit-log.service`",
)
def log_collector(host: Host, gateway: GatewaySettings) -> None:
    found = log_evidence.report(host, gateway)
    for name in (log_evidence.COLLECTOR, "flightline-audit-log.socket"):
        unit = found.units.get(name, {})
        state = (unit.get("ActiveState"), unit.get("UnitFileState"))
        assert state == ("active", "enabled"), (
            f"{name} is {state[0]} and {state[1]}, expected active and enabled"
        )
    assert found.one("held") == "yes", (
        f"the collector does not hold {audit_log.LOG_SOCKET}, expected it to read from there"
    )


@check(
    "gateway-log-dropped",
    "HAProxy had to drop no line since it started",
    severity=ERROR,
    remedy="is the disk slow or full? `journalctl -u flightline-audit-log`, `iostat -x 1`",
    depends=("gateway-log-collector",),
)
def log_dropped(host: Host, gateway: GatewaySettings) -> None:
    count = log_evidence.running(host, gateway).number("dropped")
    assert count == 0, f"HAProxy dropped {count} lines since it started, expected none (show info)"


@check(
    "gateway-siem-forwarding",
    "the SIEM takes what is forwarded to it; nothing is discarded",
    severity=ERROR,
    remedy="`journalctl -u flightline-audit-log`; is the SIEM up, its certificate right?",
    depends=("gateway-log-collector", "gateway-siem-certificates"),
)
def siem_forwarding(host: Host, gateway: GatewaySettings) -> None:
    found, siem = _siem(host, gateway)
    target = f"target={siem.host} port={siem.port}"
    assert found.all("siem-target") == (target,), (
        f"the collector forwards to {', '.join(found.all('siem-target')) or 'nobody'}, expected "
        f"{target} (AuditLogSettings.siem)"
    )
    samples = found.figures("siem queue")
    if not samples:
        unknown("the collector gave no figures (impstats).")
    lost = samples[-1]["discarded.full"] + samples[-1]["discarded.nf"]
    assert lost == 0, (
        f"{lost} lines were not forwarded, as the queue was full, expected none "
        "(SiemSettings.queue_gib); the node's own log has them"
    )
    waiting = [int(each["size"]) for each in samples]
    assert not _is_stuck(found, siem, waiting), (
        f"{waiting[-1]} lines wait for {siem.host}, and it took none in "
        f"{10 * (len(waiting) - 1)} s, expected it to take them"
    )


def _is_stuck(found: LogReport, siem: SiemSettings, waiting: list[int]) -> bool:
    if len(waiting) < STUCK_SAMPLES or min(waiting) == 0:
        return False
    sent = [each["bytes.sent"] for each in found.figures(f"TCP-{siem.host}-{siem.port}")]
    return sent[0] == sent[-1] if sent else min(waiting) > BACKLOG_LINES


@check(
    "gateway-siem-certificates",
    "the collector can use its authorities, certificate and key for the SIEM",
    severity=ERROR,
    remedy="put the file that is named in place, then `systemctl restart flightline-audit-log`",
)
def siem_certificates(host: Host, gateway: GatewaySettings) -> None:
    found, siem = _siem(host, gateway)
    modes = {path: mode for mode, path in map(_mode_and_path, found.all("siem-file"))}
    ends = dict(line.split(" ", 1) for line in found.all("siem-end") if " " in line)
    now = found.number("now")
    for field, kinds in KIND_OF.items():
        path = getattr(siem, field)
        if path is None:
            continue
        assert modes.get(path), f"{path} is not there, expected it (SiemSettings.{field})"
        end = next((ends[kind] for kind in kinds if ends.get(kind, "").isdigit()), None)
        assert end, f"{path} is no certificate, expected PEM (SiemSettings.{field})"
        assert int(end) > now, (
            f"{path} expired {(now - int(end)) / 86_400:.1f} days ago, expected a valid one "
            f"(SiemSettings.{field})"
        )
    if siem.key_file is not None:
        mode = modes.get(siem.key_file, "")
        assert mode and int(mode, 8) & 0o077 == 0, (
            f"{siem.key_file} has mode {mode or 'none'}, expected 600 (SiemSettings.key_file)"
        )


def _mode_and_path(line: str) -> tuple[str, str]:
    """A line: `CAFile 644 root /etc/ssl/siem.pem`; without mode and owner where it is not there."""
    words = line.split()
    return (words[1], words[3]) if len(words) == 4 else ("", words[-1])


def _siem(host: Host, gateway: GatewaySettings) -> tuple[LogReport, SiemSettings]:
    found = log_evidence.report(host, gateway)
    if gateway.audit_log.siem is None:
        not_applicable("AuditLogSettings.siem is None: nothing is forwarded.")
    return found, gateway.audit_log.siem
