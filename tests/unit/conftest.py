"""A real sshd on this computer, for whatever speaks SSH."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Sshd:
    """One sshd with its own host key, and a client key that it accepts."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def data(self) -> dict[str, Any]:
        return {
            "ssh_hostname": "127.0.0.1",
            "ssh_port": self.port,
            "ssh_user": getpass.getuser(),
            "ssh_key": str(self.folder / "client"),
            "ssh_known_hosts_file": str(self.known_hosts),
        }

    def start(self) -> None:
        config = self.folder / "sshd_config"
        lines = (
            f"ListenAddress 127.0.0.1:{self.port}",
            f"HostKey {self.folder / 'host'}",
            f"AuthorizedKeysFile {self.folder / 'client.pub'}",
            f"PidFile {self.folder / 'pid'}",
            "UsePAM no",
            "StrictModes no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "MaxStartups 300",
            "Subsystem sftp internal-sftp",
            *self.options,
        )
        config.write_text("\n".join(lines) + "\n")
        log = (self.folder / "log").open("ab")
        command = [shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", str(config)]
        self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self._wait()

    def _wait(self) -> None:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text())

    def pin(self, key: str = "host.pub") -> None:
        kind, data = (self.folder / key).read_text().split()[:2]
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {data}\n")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None


def new_key(path: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def make_sshd(tmp_path: Path) -> Iterator[Callable[..., Sshd]]:
    """Start one more sshd; its key is pinned in its own known_hosts."""
    if not Path("/usr/sbin/sshd").exists() and not shutil.which("sshd"):
        pytest.skip("sshd is not installed; `make setup` installs it")
    Path("/run/sshd").mkdir(exist_ok=True) if getpass.getuser() == "root" else None
    started: list[Sshd] = []

    def make(*options: str) -> Sshd:
        folder = tmp_path / f"sshd-{len(started)}"
        folder.mkdir()
        new_key(folder / "host")
        new_key(folder / "client")
        server = Sshd(folder, free_port(), options)
        server.pin()
        server.start()
        started.append(server)
        return server

    yield make
    for server in started:
        server.stop()


@pytest.fixture
def sshd(make_sshd: Callable[..., Sshd]) -> Sshd:
    """Return a running sshd whose key is pinned."""
    return make_sshd()


@pytest.fixture
def bare_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a project that has nothing in it, and make it the one at work."""
    (tmp_path / "roles").mkdir()
    (tmp_path / "deploy.py").touch()
    monkeypatch.setenv("FLIGHTLINE_PROJECT", str(tmp_path))
    return tmp_path
