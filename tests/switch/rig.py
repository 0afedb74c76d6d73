"""Nodes of one computer: real HAProxy and the real gateway-ctl, stand-in engines and systemctl.

Commands are those that a node would get; only the places they name are moved into the rig's folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from flightline.serving import layout, state
from flightline.serving.switch.fleet import Fleet
from flightline.serving.switch.node import Failed, Lost, WallClock
from flightline.serving.switch.run import Run
from flightline.serving.switch.targets import Gateway, Service, Targets
from flightline.serving.upstreams import Upstream
from flightline.templates import render

HERE = Path(__file__).parent
MODEL = "tiny"
OWNER = "RIG_OWNER"
"""The process without which nothing of the rig goes on."""
COMMAND = "flightline model switch rig.py --model tiny"

CONFIG = """\
global
    stats socket {folder}/admin.sock mode 600 level admin expose-fd listeners
    server-state-file {folder}/servers.state
    hard-stop-after 60s
defaults
    mode http
    option redispatch 1
    option idle-close-on-response
    option http-no-delay
    retries 2
    # only a request that is here as a whole can be sent again; the role's configuration waits too
    option http-buffer-request
    retry-on conn-failure empty-response
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout queue 30s
    load-server-state-from-file global
    default-server inter 200ms fall 2 rise 2
frontend clients
    bind 127.0.0.1:{port}
    http-request deny deny_status 404 unless {{ path_beg /v1/ }}
    default_backend model.tiny
backend model.tiny
    balance roundrobin
    option httpchk
    http-check send meth GET uri /health ver HTTP/1.1 hdr host localhost
    http-check expect status 200
{servers}
"""


class LocalNode:
    """A node that is a folder of this computer."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.is_lost = False
        self.commands = 0

    def run(
        self, command: str, stdin: str = "", *, timeout_seconds: float = 60
    ) -> tuple[int, str, str]:
        if self.is_lost:
            raise Lost(self.name, "no route to host")
        self.commands += 1
        done = subprocess.run(
            ["sh", "-c", self.here(command)], input=stdin, capture_output=True, text=True,
            timeout=timeout_seconds, check=False, env=self.environment,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def here(self, command: str) -> str:
        for place, moved in (
            (layout.PROGRAMS, "bin"),
            (layout.STATES, "var/serving"),
            ("/srv/models", "models"),
        ):
            command = command.replace(place, str(self.folder / moved))
        return command

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin",
            "RIG_NODE": str(self.folder),
            "RIG_PYTHON": sys.executable,
            "RIG_ENGINE": str(HERE / "engine.py"),
            OWNER: os.environ.get(OWNER) or str(os.getpid()),
            "FLIGHTLINE_GATEWAY_SOCKET": str(self.folder / "admin.sock"),
            "FLIGHTLINE_GATEWAY_STATE": str(self.folder / "servers.state"),
        }


class Rig:
    """Some nodes, each with one service and, where said so, a gateway."""

    def __init__(self, folder: Path, nodes: Sequence[str], gateways: Sequence[str]) -> None:
        ports = iter(free_ports(2 * len(nodes) + len(gateways)))
        self.nodes = {name: LocalNode(name, folder / name) for name in {*nodes, *gateways}}
        self.services = []
        for name in nodes:
            port = next(ports)
            next(ports)
            self.services.append(
                Service(Upstream(name, None, "chat", MODEL, (), port, None, "/health"))
            )
        keys = tuple(each.key for each in self.services)
        self.gateways = [
            Gateway(name, f"http://127.0.0.1:{next(ports)}", keys) for name in gateways
        ]
        self._haproxy: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, told: list[str] | None = None) -> Run:
        """Return a fresh command upon the rig."""
        targets = Targets(MODEL, "/srv/models", tuple(self.services), tuple(self.gateways))
        fleet = Fleet(targets, self.nodes, WallClock())
        heard: list[str] = [] if told is None else told
        return Run(fleet, COMMAND, lambda *line: heard.append(" ".join(line)))

    def publish(self, version: str, **behaviour: float | str) -> None:
        """Put a version on every node."""
        for service in self.services:
            folder = self.nodes[service.node].folder / "models" / MODEL / version
            folder.mkdir(parents=True)
            (folder / "manifest.json").write_text("{}")
            (folder / "behaviour.json").write_text(json.dumps(behaviour))

    def up(self, version: str) -> None:
        """Serve a version."""
        for node in self.nodes.values():
            _lay_down(node.folder)
        for service in self.services:
            folder = self.nodes[service.node].folder
            (folder / f"{service.name}.port").write_text(str(service.port("a")))
            text = state.dumps(state.fresh(MODEL, version))
            (folder / "var/serving" / f"{service.name}.json").write_text(text)
            self.nodes[service.node].run(f"systemctl start {service.unit('a')}")
        for gateway in self.gateways:
            self._start(gateway)
        self._await_up()

    def _start(self, gateway: Gateway) -> None:
        folder = self.nodes[gateway.node].folder
        servers = "\n".join(
            f"    server {each.server(letter)} 127.0.0.1:{each.port(letter)} "
            f"weight {100 if letter == 'a' else 0} check pool-max-conn 0"
            for each in self.services
            for letter in layout.LETTERS
        )
        config = CONFIG.format(folder=folder, port=port_of(gateway), servers=servers)
        (folder / "haproxy.cfg").write_text(config)
        (folder / "servers.state").touch()
        with (folder / "haproxy.log").open("wb") as log:
            gone = ("setpriv", "--pdeathsig", "TERM")  # with whoever started it
            command = [*gone, "/usr/sbin/haproxy", "-W", "-f", str(folder / "haproxy.cfg")]
            self._haproxy[gateway.node] = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")

    def _await_up(self) -> None:
        run, deadline = self.run(), time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if not any(run.fleet.down_at(each, "a") for each in self.services):
                    return
            except Failed:  # its socket is not there yet
                pass
            time.sleep(0.1)
        raise TimeoutError("the rig did not come up")

    def reload(self, node: str) -> None:
        """Reload a gateway as systemd does: a new worker takes over the listening sockets."""
        self._haproxy[node].send_signal(signal.SIGUSR2)

    def kill_engine(self, key: str, letter: str) -> None:
        """End an engine as a crash does."""
        service = next(each for each in self.services if each.key == key)
        pid = (self.nodes[service.node].folder / f"{service.name}-{letter}.pid").read_text()
        os.kill(int(pid), signal.SIGKILL)

    def down(self) -> None:
        """End everything that the rig started."""
        for service in self.services:
            for letter in layout.LETTERS:
                self.nodes[service.node].run(f"systemctl stop {service.unit(letter)}")
        for process in self._haproxy.values():
            process.terminate()
        for process in self._haproxy.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _lay_down(folder: Path) -> None:
    for each in ("bin", "var/serving", "models"):
        (folder / each).mkdir(parents=True, exist_ok=True)
    programs = {
        "gateway-ctl": render("gateway/usr/local/lib/flightline/gateway-ctl.j2", layout=layout),
        "engine-slot": "#!/bin/sh\nexit 0\n",
        "model-verify": "#!/bin/sh\nexit 0\n",
        "journalctl": "#!/bin/sh\necho the last words\n",
        "docker": "#!/bin/sh\necho image\n",
    }
    for name, text in programs.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    shutil.copy(HERE / "systemctl", folder / "bin/systemctl")


def port_of(gateway: Gateway) -> int:
    """Return the port where clients reach a gateway."""
    return int(gateway.url.rpartition(":")[2])


def free_ports(count: int) -> list[int]:
    """Return ports in a row that nothing listens on now."""
    first = 20000 + os.getpid() % 10000
    while not all(_is_free(port) for port in range(first, first + count)):
        first += count
    return list(range(first, first + count))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
