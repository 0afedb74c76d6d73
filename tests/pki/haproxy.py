"""A real HAProxy that shows a node's certificates, to clients and to other nodes."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from hashlib import sha256

from flightline.serving import layout
from flightline.templates import render
from tests.pki.node import Node

_CONFIG = """
global
    stats socket {socket} level admin
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend clients
    bind 127.0.0.1:{clients} ssl crt {etc}/gateway.pem ssl-min-ver TLSv1.3
    default_backend nodes
backend nodes
    default-server ssl verify required ca-file {etc}/nodes-ca.pem crt {etc}/node.pem
    server gpu-01 127.0.0.1:{door} verifyhost {peer}
frontend door
    bind 127.0.0.1:{door} ssl crt {door_pem} verify required ca-file {etc}/nodes-ca.pem
    http-request deny deny_status 403 unless {{ ssl_c_i_dn(OU) -m str {asker} }}
    http-request return status 200 content-type text/plain string served
"""


@dataclass
class Gateway:
    """HAProxy on this computer; its door between nodes shows `door_pem`, and lets `asker` in.

    HAProxy reads no alternative names of clients; the issuer is the node's own authority, whose
    subject the operator's root has signed.
    """

    node: Node
    peer: str = "gpu-01"
    asker: str = "gpu-01"
    door_pem: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with the role gateway's own program for handing over certificates."""
        self.clients, self.door = _free_port(), _free_port()
        self.socket = self.node.folder / "admin.sock"
        self._write_loader()
        config = self.node.folder / "haproxy.cfg"
        config.write_text(
            _CONFIG.format(
                socket=self.socket,
                clients=self.clients,
                door=self.door,
                etc=self.node.etc,
                peer=self.peer,
                asker=self.asker,
                door_pem=self.door_pem or self.node.etc / "node.pem",
            )
        )
        self.process = subprocess.Popen(["haproxy", "-db", "-f", str(config)])
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.clients)) == 0:
                    break
            time.sleep(0.05)
        (self.node.folder / "gateway-runs").touch()
        self.node.environment["FLIGHTLINE_GATEWAY_SOCKET"] = str(self.socket)
        self.node.environment["FLIGHTLINE_GATEWAY_CONFIG"] = str(config)

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    def connect(self) -> http.client.HTTPSConnection:
        """Return a connection that trusts the node's root alone."""
        context = ssl.create_default_context(cafile=str(self.node.etc / "root.pem"))
        found = http.client.HTTPSConnection("gpu-01", self.clients, context=context, timeout=10)
        raw = socket.create_connection(("127.0.0.1", self.clients))
        found.sock = context.wrap_socket(raw, server_hostname="gpu-01")
        return found

    def ask(self, connection: http.client.HTTPSConnection | None = None) -> tuple[int, str]:
        """Return (status, SHA-256 of the certificate that was shown)."""
        used = connection or self.connect()
        used.request("GET", "/")
        answer = used.getresponse()
        answer.read()
        assert isinstance(used.sock, ssl.SSLSocket)
        shown = used.sock.getpeercert(binary_form=True)
        assert shown is not None
        if connection is None:
            used.close()
        return answer.status, sha256(shown).hexdigest()

    def _write_loader(self) -> None:
        text = render("gateway/usr/local/lib/flightline/gateway-certificates.j2", layout=layout)
        self.node.loader.write_text(text.replace(layout.PKI, str(self.node.etc)))
        self.node.loader.chmod(0o755)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
