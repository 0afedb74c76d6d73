"""A real nginx on 127.0.0.1 as a mirror, plain or with TLS; it logs what it sent."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

_CONFIG = """\
daemon off;
pid {folder}/pid;
error_log {folder}/error;
worker_processes 2;
{user}
events {{ }}
http {{
    log_format sent '$request_method $uri $status $body_bytes_sent "$http_range" "$remote_user"';
    access_log {folder}/access sent;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port}{ssl};
        {certificate}
        root {root};
        {more}
    }}
}}
"""


class Mirror:
    """One nginx; `start` may be called again with other directives."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = folder, root
        self.authority = folder / "ca.pem"
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, more: str = "", *, tls: bool = False) -> str:
        """Serve the root; return its address."""
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        if not Path(program).exists():
            pytest.skip("nginx is not installed; `make setup` installs it")
        self.stop()
        if tls:
            self._make_certificate()
        pem = self.folder / "server.pem"
        config = self.folder / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                folder=self.folder,
                root=self.root,
                port=self.port,
                ssl=" ssl" if tls else "",
                certificate=f"ssl_certificate {pem}; ssl_certificate_key {pem};" if tls else "",
                user="user root;",
                more=more,
            )
        )
        command = [program, "-c", str(config), "-e", str(self.folder / "error")]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        self._wait()
        return f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=20)
            self._process = None

    def kill(self) -> None:
        """End it at once, with every transfer that is under way."""
        assert self._process
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=20)
        self._process = None

    def sent(self, path: str = "") -> list[list[str]]:
        """Return method, path, status, bytes, range and user of each answered request."""
        lines = (self.folder / "access").read_text().splitlines()
        return [line.split() for line in lines if path in line]

    def _make_certificate(self) -> None:
        pem = self.folder / "server.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", str(pem), "-out", str(self.authority), "-days", "1",
             "-subj", "/CN=mirror", "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True, capture_output=True,
        )  # fmt: skip
        pem.write_text(pem.read_text() + self.authority.read_text())

    def _wait(self) -> None:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError((self.folder / "error").read_text())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
