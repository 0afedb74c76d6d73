"""What a sound gateway says of keys and audit log; written for these tests.

Lines and figures have the form that the role's script printed with HAProxy 2.6, rsyslog 8.2302 and
logrotate 3.21 (Debian 12, 2026-11-21); the machine has served for ten days.
"""

from __future__ import annotations

import datetime
import json

from flightline.audit.answers import Answer
from roles.gateway import log_evidence, prompt_checks
from tests.machines.gateway import DECLARED

NOW = datetime.datetime(2026, 11, 21, 12, 0, 30, tzinfo=datetime.UTC)
FOLDER = "/var/log/flightline"
PKI = "/etc/flightline/pki"
DAYS = 10


def answers(name: str) -> dict[str, Answer]:
    """Return the answers of every such machine by label."""
    del name
    printed = {
        "gateway-log": (log_evidence.script(DECLARED), _evidence()),
        "gateway-prompt": (prompt_checks.script(DECLARED), _prompt()),
    }
    return {
        label: Answer(command, 0, "".join(f"{line}\n" for line in lines).encode())
        for label, (command, lines) in printed.items()
    }


def _evidence() -> list[str]:
    return [
        "probe=yes",
        f"now={_seconds(NOW)}",
        *_units(),
        "held=yes",
        f"collector-started={_seconds(NOW) - 800_000}",
        *_files(),
        "free-kib=209715200",
        f"first-time={NOW:%Y-%m-%d}T00:00:00.120Z",
        *(f"time={NOW:%Y-%m-%d}T11:{minute:02}:07.250Z" for minute in range(60)),
        f"time={NOW:%Y-%m-%dT%H:%M:%S}.035Z",
        "secrets=0",
        "rotate-config=/etc/flightline/gateway/audit-rotate.conf",
        f"rotating=rotating pattern: {FOLDER}/audit.log  after 1 days empty log files are not "
        "rotated, log files >= 268435456 are rotated earlier, old logs are removed",
        f"rotating=rotating pattern: {FOLDER}/audit-stats.log  4194304 bytes (1 rotations)",
        *("rotate=maxsize 256M", "rotate=rotate -1", "rotate=maxage 185"),
        "rotated=2026-11-21-0:0:0",
        f"siem-file=CAFile 644 root {PKI}/siem-ca.pem",
        f"siem-end=CAFile {_seconds(NOW) + 300 * 86_400}",
        f"siem-file=CertFile 600 root {PKI}/node.pem",
        f"siem-end=CertFile {_seconds(NOW) + 40 * 3600}",
        f"siem-file=KeyFile 600 root {PKI}/node.pem",
        "siem-target=target=siem.example.org port=6514",
        *_figures(),
        "dropped=0",
        "keys-mode=600 root",
        "keys-live=12",
        "reader=HTTP/1.1 200 OK",
        "end=yes",
    ]


def _units() -> list[str]:
    running = {
        "flightline-gateway.service": ("enabled", 4100),
        "flightline-audit-log.service": ("enabled", 4090),
        "flightline-audit-log.socket": ("enabled", 0),
        "flightline-audit.socket": ("enabled", 0),
        "flightline-audit-rotate.timer": ("enabled", 0),
    }
    lines = [
        f"unit=Id={name} ActiveState=active UnitFileState={state} MainPID={pid} Result=success"
        for name, (state, pid) in running.items()
    ]
    rotate = "Id=flightline-audit-rotate.service ActiveState=inactive UnitFileState=static"
    return [*lines, f"unit={rotate} MainPID=0 Result=success"]


def _files() -> list[str]:
    lines = [f"file=750 root adm 4096 {_seconds(NOW)} {FOLDER}"]
    lines.append(f"file=640 root adm 52428800 {_seconds(NOW)} {FOLDER}/audit.log")
    for age in range(DAYS):
        closed = NOW.replace(hour=0, minute=0, second=0) - datetime.timedelta(days=age)
        path = f"{FOLDER}/audit.log-{closed:%Y%m%d%H%M%S}"
        packed = ".gz" if age else ""  # the newest is packed a day later
        lines.append(f"file=640 root adm 10485760 {_seconds(closed)} {path}{packed}")
        lines.append(f"index={path.rpartition('/')[2]}")
    return lines


def _figures() -> list[str]:
    """Three rounds of impstats, each with some lines on their way."""
    queue = {"origin": "core.queue", "full": 0, "discarded.full": 0, "discarded.nf": 0}
    found = []
    for turn in range(3):
        sent = {"name": "TCP-siem.example.org-6514", "origin": "omfwd", "bytes.sent": 9000 * turn}
        waiting = {"name": "siem queue", **queue, "size": 2, "enqueued": 12_000 + turn}
        found += [f"stats={json.dumps(each)}" for each in (sent, waiting)]
    return found


def _prompt() -> list[str]:
    return [
        "model=llama status=200 began=1795274000000 first=1795274000212 last=1795274001545 "
        "tokens=64 finish=done",
        "model=tiny status=200 began=1795274002000 first=1795274002020 last=1795274002340 "
        "tokens=64 finish=done",
        "end=yes",
    ]


def _seconds(moment: datetime.datetime) -> int:
    return int(moment.timestamp())
