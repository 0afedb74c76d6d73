"""Gateways for `flightline key`: an sshd, the program on the node, HAProxy with its map.

Each gateway is an sshd on this computer, whose commands see a folder of their own in the place of
/usr/local/lib/flightline (a mount namespace), and an HAProxy that answers with the key's entry.
"""

from __future__ import annotations

import http.client
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flightline.serving import keys, keys_map, layout
from flightline.templates import render
from tests.unit.conftest import Sshd, free_port

CONFIG = """
global
  stats socket {folder}/admin.sock mode 600 level admin
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend clients
  bind 127.0.0.1:{port}
  http-request set-var(txn.hash) req.hdr(authorization),word(2,' '),sha2(256),hex
  http-request set-var(txn.entry) var(txn.hash),map({folder}/keys.map)
  http-request return status 401 unless {{ var(txn.entry) -m found }}
  http-request return status 200 content-type text/plain lf-string "%[var(txn.entry)]"
"""

SHELL = """\
#!/bin/sh
export FLIGHTLINE_GATEWAY_KEYS={folder}/keys.map FLIGHTLINE_GATEWAY_SOCKET={folder}/admin.sock
exec unshare -rm sh -c 'mount --bind "$0" /usr/local/lib; eval "$SSH_ORIGINAL_COMMAND"' {folder}/lib
"""


class Gateway:
    """One node with HAProxy, the program and sshd."""

    def __init__(self, folder: Path, make_sshd: Callable[..., Sshd]) -> None:
        self.folder = folder
        self.port = free_port()
        program = folder / "lib" / "flightline" / "gateway-keys"
        program.parent.mkdir(parents=True)
        source = f"gateway{layout.GATEWAY_KEYS_LOAD}.j2"
        unit = "flightline-none-such.service"
        where = {"keys": "-", "socket": "-", "state": "-"}
        program.write_text(render(source, **where, unit=unit, end=keys_map.END))
        program.chmod(0o755)
        shell = folder / "shell"
        shell.write_text(SHELL.format(folder=folder))
        shell.chmod(0o755)
        (folder / "keys.map").write_text(keys_map.rendered((), keys.now()))
        (folder / "haproxy.cfg").write_text(CONFIG.format(folder=folder, port=self.port))
        self.sshd = make_sshd(f"ForceCommand {shell}")
        self.start()

    def start(self) -> None:
        """Start HAProxy, and wait until it listens."""
        self.process = subprocess.Popen(["haproxy", "-db", "-f", str(self.folder / "haproxy.cfg")])
        while socket.socket().connect_ex(("127.0.0.1", self.port)):
            time.sleep(0.05)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def answer(self, key: str, on: http.client.HTTPConnection | None = None) -> str:
        connection = on or self.connection()
        connection.request("GET", "/", headers={"Authorization": f"Bearer {key}"})
        answered = connection.getresponse()
        return f"{answered.status} {answered.read().decode()}".strip()


@pytest.fixture
def gateways(
    tmp_path_factory: pytest.TempPathFactory, make_sshd: Callable[..., Sshd], project: Path
) -> Iterator[list[Gateway]]:
    made = [Gateway(tmp_path_factory.mktemp("gw"), make_sshd) for _ in range(2)]
    hosts: list[Any] = [(f"gw-{n}", each.sshd.data) for n, each in enumerate(made, start=1)]
    engine = ("engine-1", {"ssh_hostname": "127.0.0.1", "ssh_port": 1})
    (project / "inventories" / "two.py").write_text(f"front = {hosts!r}\nback = {[engine]!r}\n")
    declare(project, "front", enabled=True)
    yield made
    for each in made:
        each.process.terminate()
        each.process.wait()


def declare(project: Path, group: str, **values: object) -> None:
    text = (
        "from group_data.all import gateway as declared, pki as certified\n"
        "gateway = declared.model_copy(update={})\n"
        "pki = certified.model_copy(update=dict(enabled=True))"
    )
    (project / "group_data" / f"{group}.py").write_text(text.format(values) + "\n")
