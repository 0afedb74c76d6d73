"""Forwarding over RELP, where each message is acknowledged: to rsyslog as the SIEM."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from roles.gateway.log_settings import AuditLogSettings, SiemSettings
from tests.gateway_log.programs import Authority, Log, until
from tests.unit.conftest import free_port

PLUGINS = [
    *Path("/usr/lib").glob("*/rsyslog/omrelp.so"),
    *Path("/usr/lib64/rsyslog").glob("omrelp.so"),
]
pytestmark = pytest.mark.skipif(
    not PLUGINS, reason="rsyslog-relp is not installed; `make setup` installs it"
)

CONFIG = """
global(workDirectory="{folder}" maxMessageSize="32k")
module(load="imrelp" tls.tlslib="openssl")
template(name="all" type="string" string="%rawmsg%\\n")
input(type="imrelp" port="{port}" maxDataSize="32k" tls="on" tls.caCert="{ca}" tls.myCert="{own}"
    tls.myPrivKey="{own}" tls.authMode="name" tls.permittedPeer=["node"])
action(type="omfile" file="{folder}/received" template="all")
"""


class Receiver:
    """rsyslog that takes RELP over TLS."""

    def __init__(self, folder: Path, port: int, authority: Authority) -> None:
        self.received = folder / "received"
        config = folder / "receiver.conf"
        own = authority.issue("siem")
        config.write_text(CONFIG.format(folder=folder, port=port, ca=authority.ca, own=own))
        command = [
            "/usr/sbin/rsyslogd",
            "-n",
            "-f",
            str(config),
            "-i",
            str(folder / "receiver.pid"),
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def lines(self) -> list[str]:
        text = self.received.read_text() if self.received.exists() else ""
        return [line.rpartition(" - ")[2] for line in text.splitlines()]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.mark.parametrize("library", ["gtls", "ossl"])
def test_an_outage_of_the_siem_loses_no_line(
    make_log: Callable[..., Log], tmp_path: Path, library: str
) -> None:
    authority, port = Authority(tmp_path), free_port()
    own = str(authority.issue("node"))
    siem = SiemSettings(
        host="127.0.0.1", port=port, protocol="relp", tls_library=library,
        ca_file=str(authority.ca),
        permitted_peers=("siem",), certificate_file=own, key_file=own,
    )  # fmt: skip
    log = make_log(AuditLogSettings(siem=siem))
    first = Receiver(tmp_path, port, authority)
    sent = [f'{{"request":{number}}}' for number in range(900)]
    log.send(*sent[:300])
    assert until(lambda: len(set(first.lines())) == 300), first.lines()[-3:]
    first.stop()
    log.send(*sent[300:600])
    second = Receiver(tmp_path, port, authority)
    log.send(*sent[600:])
    assert until(lambda: len(set(second.lines())) == 900, 60), len(second.lines())
    assert set(second.lines()) == set(sent)
    second.stop()
