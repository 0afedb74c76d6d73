"""What is declared for the gateway of every sound machine, and what it says of itself.

Lines as the role's own script prints them of HAProxy 2.6.12 on Debian 12 (2026-11-21); what its log
says is in gateway_log.py.
"""

from __future__ import annotations

from flightline.audit.answers import Answer
from roles.gateway.evidence import script
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


def answers(name: str) -> dict[str, Answer]:
    """Return the answer of a machine by label: it serves one model in slot a, another node too."""
    sound = _SOUND.replace("NODE", name)
    return {"gateway-evidence": Answer(script(DECLARED), 0, sound.encode())}


_SOUND = """\
active=active
enabled=enabled
packaged=inactive disabled
unit.reload=no
unit.started=1795270000
unit.changed=1795260000
installed=2.6.12-1+deb12u4
status=long-term supported branch - will stop receiving fixes around Q2 2027.
now=1795276258
config.told=19309af237c6f19e348aa77813f89b0c4d04c8077db5a5dbbd057ba90a262fd2
config.digest=19309af237c6f19e348aa77813f89b0c4d04c8077db5a5dbbd057ba90a262fd2
socket.mode=600 root:root
jwt.bits=2048
jwt.kind=RSA
live.Version=2.6.12-1+deb12u4
live.Pid=6447
live.Ulimit-n=8238
live.Maxconn=4100
live.description=19309af237c6f19e348aa77813f89b0c4d04c8077db5a5dbbd057ba90a262fd2
server=model.chat NODE.chat-a UP L7OK
server=model.chat NODE.chat-b DOWN L4CON
server=model.chat gpu-02.chat-a UP L7OK
server=model.chat gpu-02.chat-b DOWN L7STS
live.state=admin_audit audit - 1 1 0 0
live.state=model.chat NODE.chat-a 127.0.0.1 100 100 0 0
live.state=model.chat NODE.chat-b 127.0.0.1 0 0 0 0
live.state=model.chat gpu-02.chat-a 10.0.0.2 100 100 0 0
live.state=model.chat gpu-02.chat-b 10.0.0.2 0 0 0 0
live.state=node.chat-a engine 127.0.0.1 1 1 0 0
saved.state=admin_audit audit - 1 1 0 0
saved.state=model.chat NODE.chat-a 127.0.0.1 100 100 0 0
saved.state=model.chat NODE.chat-b 127.0.0.1 0 0 0 0
table=per_day
table=per_minute
service=chat a
listens=*:8443
listens=10.0.0.1:8001
listens=10.0.0.1:8002
listens=127.0.0.1:8405
tls.old=(NONE)
tls.new=TLSv1.3
tls.alpn=h2
plain=
answer=/v1/models 401
answer=/metrics 404
answer=/invocations 404
answer=/tokenize 404
answer=//v1/models 404
answer=/v1/../metrics 404
answer=/v1/%6dodels 404
answer=/v1%2fmodels 404
answer=/stats 404
door=10.0.0.1:8001 closed
door=10.0.0.1:8002 closed
end
"""
