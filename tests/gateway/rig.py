"""A real HAProxy with the role's own configuration on 127.0.0.1: only paths and ports are moved."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flightline.serving import layout
from flightline.serving.upstreams import Upstream
from flightline.templates import render
from roles.gateway import audit_log
from roles.gateway.config import config
from roles.gateway.settings import GatewaySettings

ENGINE = Path(__file__).with_name("engine.py")
KEY, ADMIN = "fl-key-of-ada", "fl-key-of-root"
NODE = "n1"


def free_port() -> int:
    """Return a port that nobody listens on; its neighbour is free too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return port


def entry(key: str, role: str, name: str, *limits: object) -> str:
    """Return the map's line of a key; limits: a minute, a day, end."""
    hashed = hashlib.sha256(key.encode()).hexdigest().upper()
    told = [str(each) if each else "" for each in (*limits, None, None, None)[:3]]
    return f"{hashed} {role}|{name}|{'|'.join(told)}\n"


@dataclass(frozen=True)
class Answer:
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code, as OpenAI's clients read it."""
        return str(self.json["error"]["code"])


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
        # the service's own file limit is systemd's; a test has what it has
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
        wait(lambda: _listens(port), f"no engine on port {port}")

    def kill(self, port: int) -> None:
        """Kill the engine on a slot's port."""
        engine = self.engines.pop(port)
        engine.kill()
        engine.wait()

    def start(self) -> None:
        """Start HAProxy as its unit does, and wait until its engines are up."""
        self._listen_for_logs()
        command = ["haproxy", "-Ws", "-f", str(self.folder / "etc" / "haproxy.cfg")]
        said = (self.folder / "said").open("ab")
        self.haproxy = subprocess.Popen(command, stdout=said, stderr=said)
        wait(self.socket.exists, "HAProxy did not start: " + self.said())
        wait(self._answers, "HAProxy does not answer: " + self.said())

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
        old = self.worker()
        self.ctl("save")
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
        """Return how many servers are up."""
        lines = [line.split(",") for line in self.ctl("show stat").splitlines()]
        return sum(
            len(words) > 36 and words[17].startswith(("UP", "DRAIN")) and words[36] == "L7OK"
            for words in lines
        )

    def said(self) -> str:
        """What HAProxy said on its terminal."""
        path = self.folder / "said"
        return path.read_text() if path.exists() else ""

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


def send(
    through: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any = None,
    key: str | None = KEY,
    **headers: str,
) -> Answer:
    """Send one request and read its whole answer; underscores in header names become dashes."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        told.setdefault("authorization", f"Bearer {key}")
    if body is not None:
        told.setdefault("content-type", "application/json")
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    through.request(method, path, data, told)
    got = through.getresponse()
    return Answer(got.status, {n.lower(): v for n, v in got.getheaders()}, got.read())


def trusting() -> ssl.SSLContext:
    """Return a client that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate(folder: Path, name: str, common_name: str, authority: Path | None = None) -> None:
    """Make a key and a certificate, both in `name`; without an authority it signs itself."""
    signer = ["-CA", f"{authority}.crt", "-CAkey", f"{authority}.key"] if authority else []
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-keyout", key, "-out", cert, "-subj", f"/CN={common_name}",
         *signer, "-addext", f"subjectAltName=DNS:{common_name},DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / name).write_text(key.read_text() + cert.read_text())


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


def wait(
    condition: Any, otherwise: str, seconds: float = 15, said: Callable[[], str] = str
) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{otherwise} {said()}")


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _unprivileged(text: str) -> str:
    accounts = ("user haproxy", "group haproxy")
    kept = [line for line in text.splitlines() if line.strip() not in accounts]
    return "\n".join(kept).replace(" user root group root", "").replace(" user haproxy", "") + "\n"
