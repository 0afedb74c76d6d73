"""A real HAProxy with the role's own configuration on 127.0.0.1: only paths and ports are moved."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flightline.serving import layout
from flightline.serving.upstreams import Upstream
from flightline.templates import render
from roles.gateway import audit_log
from roles.gateway.config import config
from roles.gateway.settings import GatewaySettings
from tests.gateway.client import (
    ADMIN,
    KEY,
    Answer,
    certificate,
    entry,
    free_port,
    listens,
    send,
    trusting,
    wait,
)

__all__ = ["KEY", "NODE", "Rig", "free_port", "prepared"]

ENGINE = Path(__file__).with_name("engine.py")
NODE = "n1"


@dataclass
class Rig:
    """One gateway and the engines behind it."""

    folder: Path
    settings: GatewaySettings
    upstreams: tuple[Upstream, ...]
    node: str = NODE
    address: str | None = None
    engines: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    haproxy: subprocess.Popen[bytes] | None = None
    log: socket.socket | None = None

    @property
    def port(self) -> int:
        """Where clients enter."""
        return self.settings.port

    @property
    def socket(self) -> Path:
        """The admin socket."""
        return self.folder / "run" / "admin.sock"

    @property
    def state(self) -> Path:
        """Saved weights and drains."""
        return self.folder / "state" / "servers.state"

    @property
    def pki(self) -> Path:
        """Certificates."""
        return self.folder / "pki"

    def moved(self, text: str) -> str:
        """Return a file's text with the node's paths moved into the rig."""
        for path, name in (
            (layout.PKI, "pki"),
            ("/run/flightline-gateway", "run"),
            (layout.GATEWAY_STATE.rpartition("/")[0], "state"),
            (audit_log.SOCKETS, "audit"),
            (layout.GATEWAY, "etc"),
        ):
            text = text.replace(path, str(self.folder / name))
        return text if os.geteuid() == 0 else _unprivileged(text)

    def write(self, settings: GatewaySettings | None = None) -> None:
        """Write the configuration and the programs, as the role renders them."""
        self.settings = settings or self.settings
        text = config(self.settings, self.node, self.address, self.upstreams)
        (self.folder / "etc" / "haproxy.cfg").write_text(self.moved(text))
        for path in (layout.GATEWAY_CTL, layout.GATEWAY_CERTIFICATES_LOAD):
            program = self.folder / Path(path).name
            program.write_text(self.moved(render(f"gateway{path}.j2", layout=layout)))
            program.chmod(0o755)

    def keys(self, *lines: str) -> None:
        """Write the keys' map."""
        (self.folder / "etc" / "keys.map").write_text("".join(lines))

    def engine(self, port: int, name: str) -> None:
        """Start a stand-in on a slot's port."""
        command = [sys.executable, str(ENGINE), str(port), name]
        self.engines[port] = subprocess.Popen(command)
        wait(lambda: listens(port), f"no engine on port {port}")

    def kill(self, port: int) -> None:
        """Kill the engine on a slot's port."""
        engine = self.engines.pop(port)
        engine.kill()
        engine.wait()

    def start(self) -> None:
        """Start HAProxy as its unit does, and wait until its engines are up."""
        self._listen_for_logs()
        command = ["haproxy", "-Ws", "-f", str(self.folder / "etc" / "haproxy.cfg")]
        with (self.folder / "said").open("ab") as said:
            self.haproxy = subprocess.Popen(command, stdout=said, stderr=said)
        wait(self._answers, "HAProxy does not answer", said=self.said)

    def stop(self) -> None:
        """Stop HAProxy as its unit does: SIGUSR1, and no hurry."""
        assert self.haproxy is not None
        self.haproxy.send_signal(signal.SIGUSR1)
        self.haproxy.wait(40)  # an idle connection stays open for 15 s
        self.haproxy = None

    def close(self) -> None:
        """End everything that this rig started."""
        for process in (*self.engines.values(), *filter(None, (self.haproxy,))):
            process.terminate() if process is self.haproxy else process.kill()
            process.wait(20)
        if self.log is not None:
            self.log.close()

    def reload(self) -> None:
        """Reload as the unit does: save, check, SIGUSR2; back when the new worker answers."""
        assert self.haproxy is not None
        old, _ = self.worker(), self.ctl("save")
        subprocess.run(["haproxy", "-c", "-q", "-f", self.folder / "etc/haproxy.cfg"], check=True)
        self.haproxy.send_signal(signal.SIGUSR2)
        wait(lambda: self.worker() not in ("", old), "the new worker did not start")

    def worker(self) -> str:
        """Return the process id of the worker that answers; empty for none."""
        said = self.run("gateway-ctl", "show info")
        return next((w.split()[1] for w in said.stdout.splitlines() if w.startswith("Pid:")), "")

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the role's programs; its reloads are as the unit's."""
        pid = self.haproxy.pid if self.haproxy else ""
        return subprocess.run(
            [str(self.folder / program), *arguments],
            env={**os.environ, "FLIGHTLINE_GATEWAY_RELOAD": f"kill -USR2 {pid}"},
            check=False, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def ctl(self, *commands: str) -> str:
        """Run runtime commands; fails the test when HAProxy refuses one."""
        said = self.run("gateway-ctl", *commands)
        assert said.returncode == 0, said.stderr
        return said.stdout

    def servers(self) -> dict[str, tuple[int, int]]:
        """Return each engine's weight, and the administrator's state (8: drain)."""
        lines = [line.split() for line in self.ctl("show servers state").splitlines()]
        rows = [
            words for words in lines if len(words) > 10 and words[1][:6] in ("model.", "grpc.c")
        ]
        return {f"{w[1]}/{w[3]}": (int(w[7]), int(w[6])) for w in rows}

    def up(self, count: int = 1) -> None:
        """Wait until so many servers pass their health checks."""
        wait(lambda: self.count_up() >= count, f"fewer than {count} servers are up", said=self.said)

    def count_up(self) -> int:
        """Return how many servers are up; "* L7OK" is one whose next check is under way."""
        lines = [line.split(",") for line in self.ctl("show stat").splitlines()]
        return sum(
            len(words) > 36 and words[17].startswith(("UP", "DRAIN")) and words[36][-4:] == "L7OK"
            for words in lines
        )

    def said(self) -> str:
        """What HAProxy said on its terminal."""
        return (self.folder / "said").read_text()

    def logged(self) -> list[dict[str, Any]]:
        """Return the audit lines that have come since the last call."""
        assert self.log is not None
        lines: list[dict[str, Any]] = []
        with contextlib.suppress(TimeoutError, BlockingIOError):
            while True:
                lines.append(json.loads(self.log.recv(65_536)))
        return lines

    def ask(
        self, method: str, path: str, body: Any = None, key: str | None = KEY, **headers: str
    ) -> Answer:
        """Send one request over a connection of its own, HTTP/1.1."""
        with self.connection() as connection:
            return send(connection, method, path, body, key, **headers)

    @contextlib.contextmanager
    def connection(self) -> Iterator[http.client.HTTPSConnection]:
        """Yield a connection that stays open between requests."""
        made = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=trusting())
        try:
            yield made
        finally:
            made.close()

    def chat(self, model: str = "chat", key: str | None = KEY, **fields: Any) -> Answer:
        """Send a chat request."""
        asked = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
        return self.ask("POST", "/v1/chat/completions", asked, key)

    def _answers(self) -> bool:
        return self.run("gateway-ctl", "show info").returncode == 0

    def _listen_for_logs(self) -> None:
        if self.log is None:
            path = self.folder / "audit" / "log"
            self.log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.log.bind(str(path))
            path.chmod(0o666)
            self.log.settimeout(0.3)


def prepared(
    folder: Path, settings: GatewaySettings, upstreams: Sequence[Upstream], **more: Any
) -> Rig:
    """Return a rig with its files; nothing runs yet."""
    folder.chmod(0o755)
    for name in ("etc", "pki", "run", "state", "audit"):
        (folder / name).mkdir()
    rig = Rig(folder, settings, tuple(upstreams), **more)
    certificate(rig.pki, "gateway.pem", "gateway.test")
    certificate(rig.pki, "node.pem", rig.node)
    (rig.pki / "nodes-ca.pem").write_text((rig.pki / "node.pem.crt").read_text())
    rig.keys(entry(KEY, "data_scientist", "ada"), entry(ADMIN, "admin", "root"))
    rig.write()
    return rig


def _unprivileged(text: str) -> str:
    accounts = ("user haproxy", "group haproxy")
    kept = [line for line in text.splitlines() if line.strip() not in accounts]
    return "\n".join(kept).replace(" user root group root", "").replace(" user haproxy", "") + "\n"
