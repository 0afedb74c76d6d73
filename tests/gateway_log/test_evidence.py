"""What the checks' script prints beside the real programs; only systemd is a stand-in."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flightline.audit.answers import Answer
from flightline.audit.check import REGISTRY
from flightline.audit.judge import judge
from flightline.report.record import Outcome
from flightline.serving import keys_map, layout
from flightline.serving.keys import Key, digest, now
from flightline.serving.upstreams import Upstream
from flightline.templates import render
from roles.gateway import forward_checks, key_checks, log_checks, log_evidence
from roles.gateway.log_settings import AuditLogSettings, SiemSettings
from roles.gateway.settings import GatewaySettings
from tests.gateway.rig import NODE, Rig, free_port, prepared
from tests.gateway_log.programs import MISSING, Authority, Log, Siem, until

MODULES = {each.__name__ for each in (log_checks, forward_checks, key_checks)}
CHECKS = tuple(each for each in REGISTRY.values() if each.function.__module__ in MODULES)

SYSTEMCTL = """\
#!/bin/sh
case "$*" in
*'-p MainPID --value'*) cat {folder}/run/rsyslogd.pid ;;
*'-p ExecStart --value'*)
    echo "{{ path=/x ; argv[]=/x --state {folder}/state {folder}/audit-rotate.conf ; pid=0 ; }}" ;;
*'-p Id,'*)
    shift 4 # systemd has an order of its own
    for unit in "$@"; do
        printf 'MainPID=0\\nResult=success\\nId=%s\\n' "$unit"
        printf 'ActiveState=active\\nUnitFileState=enabled\\n\\n'
    done ;;
*is-active*) exit 0 ;;
esac
"""


@dataclass
class Node:
    """A gateway with its log, a SIEM and keys."""

    rig: Rig
    log: Log
    siem: Siem

    def report(self) -> str:
        # the log's folder is beside the rig's
        script = log_evidence.script(self.rig.settings)
        script = script.replace("/run/flightline-audit", str(self.log.folder / "run"))
        script = self.rig.moved(script.replace("/var/log/flightline", str(self.log.folder)))
        script = script.replace(layout.PROGRAMS, str(self.rig.folder))
        done = subprocess.run(
            ["sh", "-c", script], capture_output=True, text=True, timeout=90, check=False,
            env={**os.environ, "PATH": f"{self.log.folder}/bin:{os.environ['PATH']}"},
        )  # fmt: skip
        return done.stdout

    def said(self) -> log_evidence.LogReport:
        return log_evidence.parse(self.report())

    def alarms(self) -> dict[str, str]:
        printed = self.report().replace(str(self.log.folder), "/var/log/flightline")
        judged = judge(
            "node",
            CHECKS,
            {"gateway": self.rig.settings},
            lambda commands: {each: Answer(each, 0, printed.encode()) for each in commands},
        )
        bad = (Outcome.FAIL, Outcome.UNKNOWN)
        return {name: each.message for name, each in judged.findings.items() if each.outcome in bad}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    if MISSING:
        pytest.skip(f"{', '.join(MISSING)} is not installed; `make setup` installs it")
    folder = Path(tempfile.mkdtemp(prefix="fl-ev-", dir="/tmp"))  # sockets' paths are short
    folder.chmod(0o755)
    made = _made(folder)
    yield made
    made.rig.close()
    made.log.stop()
    made.siem.stop()
    shutil.rmtree(folder)


def _made(folder: Path) -> Node:
    for name in ("rig", "log", "log/bin", "sockets"):
        (folder / name).mkdir()
    (folder / "sockets").chmod(0o755)  # as under /run: the log's own folder is closed to HAProxy
    (folder / "log" / "run").symlink_to(folder / "sockets")
    authority = Authority(folder)
    siem = Siem(free_port(), authority.issue("siem"))
    declared = AuditLogSettings(
        min_free_gib=1,
        siem=SiemSettings(
            host="127.0.0.1", port=siem.port, ca_file=str(authority.ca), permitted_peers=("siem",)
        ),
    )
    settings = GatewaySettings(
        enabled=True, port=free_port(), metrics_port=free_port(), audit_log=declared
    )
    log = Log(folder / "log", declared)
    config = log.folder / "audit-log.conf"
    config.write_text(config.read_text().replace('interval="10"', 'interval="1"'))
    systemctl = log.folder / "bin" / "systemctl"
    systemctl.write_text(SYSTEMCTL.format(folder=log.folder))
    systemctl.chmod(0o755)
    log.folder.chmod(0o750)
    if os.getuid() == 0:
        shutil.chown(log.folder, "root", "adm")
    log.start()
    log.socket.chmod(0o666)
    rig = prepared(
        folder / "rig",
        settings,
        (Upstream(NODE, None, "chat", "chat", (), free_port(), None, "/health"),),
    )
    (rig.folder / "audit").rmdir()
    (rig.folder / "audit").symlink_to(folder / "sockets")
    log.send('{"time":"2026-11-21T00:00:00.000Z"}')  # starts the collector, as systemd does
    assert until(lambda: bool(log.lines()))
    log.file.write_text("")
    _keys(rig)
    rig.log = socket.socket()  # the collector has the socket, not the rig
    rig.start()
    return Node(rig, log, siem)


def _keys(rig: Rig) -> None:
    held = [
        Key(name=name, role="admin", sha256=digest(name), created=now()) for name in ("ann", "ben")
    ]
    path = rig.folder / "etc" / "keys.map"
    path.write_text(keys_map.rendered(held, now()))
    path.chmod(0o600)
    program = rig.folder / "gateway-keys"
    source = f"gateway{layout.GATEWAY_KEYS_LOAD}.j2"
    text = render(
        source,
        keys=str(path),
        socket=str(rig.socket),
        state=str(rig.state),
        unit="flightline-none.service",
        end=keys_map.END,
    )
    program.write_text(text)
    program.chmod(0o755)


def test_a_sound_gateway_has_no_alarm_but_for_the_reader(node: Node) -> None:
    # the reader is systemd's to start: test_reader.py
    alarms = node.alarms()
    if os.getuid():  # only root may give files away
        alarms = {name: said for name, said in alarms.items() if not name.endswith("-private")}
    assert set(alarms) == {"gateway-log-reader"}, alarms


def test_the_request_of_the_audit_is_logged_as_refused(node: Node) -> None:
    found = node.said()
    assert found.one("probe") == "yes"
    assert found.one("held") == "yes"
    assert any('"status":404' in line for line in node.log.lines() if "flightline-audit-" in line)
    assert until(lambda: any("flightline-audit-" in each for each in node.siem.received))


def test_the_rotation_is_read_from_what_the_timer_runs(node: Node) -> None:
    found = node.said()
    assert found.rotation == {"maxsize": "256M", "rotate": "-1", "maxage": "185"}
    assert any(f"{node.log.folder}/audit.log" in line for line in found.all("rotating"))


def test_a_key_that_no_file_has_is_found(node: Node) -> None:
    path = node.rig.folder / "etc" / "keys.map"
    stranger = "A" * 64
    node.rig.ctl(f"add map {path} {stranger} admin|eve|||1000000000")
    try:
        alarms = node.alarms()
    finally:
        node.rig.ctl(f"del map {path} {stranger}")
    assert "honours eve beyond" in alarms["gateway-keys-live"]
    assert "eve has expired" in alarms["gateway-keys-expired"]


def test_a_siem_that_takes_nothing_is_noticed(node: Node) -> None:
    node.siem.stop()
    node.log.send(*(f'{{"time":"2026-11-21T00:00:00.000Z","n":{n}}}' for n in range(20)))
    assert until(lambda: "gateway-siem-forwarding" in node.alarms(), 60)
    said = node.alarms()["gateway-siem-forwarding"]
    assert re.search(r"\d+ lines wait for 127.0.0.1, and it took none in \d+ s", said)
