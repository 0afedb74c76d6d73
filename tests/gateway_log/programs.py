"""The real programs of the audit log, in a folder of the test's own."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flightline.operations.bundle import File
from roles.gateway import audit_files, audit_log
from roles.gateway.log_settings import AuditLogSettings

PROGRAMS = ("rsyslogd", "logrotate", "haproxy", "systemd-socket-activate")
MISSING = [name for name in PROGRAMS if not shutil.which(name, path="/usr/sbin:/usr/bin:/sbin")]


def until(is_so: Callable[[], bool], seconds: float = 30) -> bool:
    """Wait for it; return whether it came."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.05)
    return False


def moved(text: str, folder: Path) -> str:
    """Return a file of the role with its places in the test's folder."""
    text = text.replace(audit_log.LOG_FOLDER, str(folder)).replace(
        audit_log.SOCKETS, str(folder / "run")
    )
    text = text.replace(
        f"systemctl kill --signal=HUP --kill-who=main {audit_files.COLLECTOR}",
        f"kill -HUP $(cat {folder}/run/rsyslogd.pid)",
    )
    if os.getuid():  # only root may give files away
        text = re.sub(r'fileOwner="root" fileGroup="adm"|(?<=create 640) root adm', "", text)
    return text


@dataclass
class Log:
    """Collector, rotation and reader as the role writes them, at home in one folder."""

    folder: Path
    settings: AuditLogSettings = field(default_factory=AuditLogSettings)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        for name in ("queue", "run"):
            (self.folder / name).mkdir(exist_ok=True)
        for item in audit_files.items(self.settings):
            if isinstance(item, File):
                path = self.folder / Path(item.path).name
                path.write_text(moved(item.content, self.folder))
                path.chmod(int(item.mode, 8))

    @property
    def file(self) -> Path:
        return self.folder / "audit.log"

    @property
    def socket(self) -> Path:
        return self.folder / "run" / "log"

    def lines(self) -> list[str]:
        """Those that are whole."""
        return self.file.read_text().split("\n")[:-1] if self.file.exists() else []

    def start(self) -> None:
        """systemd holds the socket, and starts the collector at the first line."""
        self.socket.unlink(missing_ok=True)
        command = [
            "systemd-socket-activate", "-d", "-l", str(self.socket),
            "/usr/sbin/rsyslogd", "-n", "-f", str(self.folder / "audit-log.conf"),
            "-i", str(self.folder / "run" / "rsyslogd.pid"),
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=(self.folder / "said").open("ab")
        )
        assert until(self.socket.exists)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def send(self, *lines: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(self.socket))
            for line in lines:
                sender.send(line.encode())

    def rotate(self) -> str:
        command = ["/usr/sbin/logrotate", "--force", "--verbose", "--state", "state"]
        done = subprocess.run(
            [*command, "audit-rotate.conf"],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stderr


class Authority:
    """Makes certificates for the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(self._signed(self.name, self.key.public_key(), is_ca=True))

    def issue(self, name: str) -> Path:
        """Return the file with a new key and its certificate for that name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        path = self.folder / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path.write_bytes(private + self._signed(subject, key.public_key(), is_ca=False, name=name))
        return path

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, is_ca: bool, name: str = ""
    ) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder(self.name, subject, key, x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        )
        if name:
            names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        made = builder.sign(self.key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM)


class Siem:
    """A collector of the site's: syslog over TLS, with counted frames (RFC 5425, 4.3)."""

    def __init__(self, port: int, certificate: Path, authority: Path | None = None) -> None:
        self.port = port
        self.received: list[str] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        if authority:
            self._context.load_verify_locations(authority)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", port))
        self._open: list[socket.socket] = []
        self.ended = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._read, args=(plain,), daemon=True).start()

    def _read(self, plain: socket.socket) -> None:
        try:
            with self._context.wrap_socket(plain, server_side=True) as stream:
                self._open.append(stream)
                reader = stream.makefile("rb")
                while digits := self._digits(reader):
                    self.received.append(reader.read(int(digits)).decode())
        except OSError:
            pass  # a client that does not go on
        self.ended += 1

    @staticmethod
    def _digits(reader: object) -> bytes:
        digits = b""
        while (byte := reader.read(1)) not in (b" ", b""):  # type: ignore[attr-defined]
            digits += byte
        return digits

    def bodies(self) -> list[str]:
        return [
            re.sub(r"^<134>1 \S+ \S+ flightline-gateway - audit - ", "", each)
            for each in self.received
        ]

    def stop(self) -> None:
        """End as a machine does that goes down; harmless twice."""
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
