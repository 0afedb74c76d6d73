"""Certificates of an ACME authority: Debian's Caddy signs, Debian's certbot asks."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roles.pki.settings import AcmeSettings, PkiSettings
from tests.pki.node import Node, openssl
from tests.pki.test_renewal import is_sound, key_of, shown

pytestmark = [
    pytest.mark.skipif(
        not (shutil.which("caddy") and shutil.which("certbot")),
        reason="caddy and certbot are not installed; `make setup` installs them",
    ),
    pytest.mark.skipif(os.getuid() != 0, reason="an ACME authority asks port 80, which is root's"),
    pytest.mark.xdist_group("port-80"),
]

_CONFIG = """
{{
    admin off
    skip_install_trust
    auto_https disable_redirects
    http_port {http}
    storage file_system {store}
}}
https://localhost:{https} {{
    tls internal
    acme_server
}}
"""


class Authority:
    """Caddy as an ACME authority on 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.root = folder / "store/pki/authorities/local/root.crt"
        folder.mkdir()
        (folder / "Caddyfile").write_text(
            _CONFIG.format(http=_free_port(), https=self.port, store=folder / "store")
        )
        self.start()

    def start(self) -> None:
        """Run until its certificate is there."""
        self.process = subprocess.Popen(
            ["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"],
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder)},
            stderr=subprocess.DEVNULL,
        )
        made = self.folder / "store/certificates/local/localhost/localhost.crt"
        for _ in range(200):
            if made.exists():
                return
            time.sleep(0.05)
        raise RuntimeError("caddy made no certificate")

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/acme/local/directory"


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 80)) == 0:
            pytest.skip("port 80 of this computer is in use")
    made = Authority(tmp_path / "caddy")
    yield made
    made.stop()


@pytest.fixture
def served(tmp_path: Path, settings: PkiSettings, authority: Authority) -> Node:
    declared = settings.model_copy(
        update={
            "source": "acme",
            "names": ("localhost",),
            "root_file": str(authority.root),
            "acme": AcmeSettings(server_url=authority.url),
        }
    )
    made = Node(tmp_path / "acme", declared)
    made.lay_down()
    made.certify()
    return made


def test_issued_then_renewed_with_a_new_key_then_kept_without_the_authority(
    served: Node, authority: Authority
) -> None:
    assert is_sound(served, "node")
    assert _is_of_caddy(served, authority)
    first = key_of(served, "gateway")
    assert served.run("pki-renew", "--due") == ""
    served.run("pki-renew", "--now")
    second = key_of(served, "gateway")
    assert second != first
    assert _is_of_caddy(served, authority)
    authority.stop()
    said = served.run("pki-renew", "--now", fails=True)
    assert "gateway: no new certificate, the old one stays" in said
    assert key_of(served, "gateway") == second
    assert is_sound(served, "node")


def test_another_type_of_key_is_asked_for(served: Node, authority: Authority) -> None:
    served.settings = served.settings.model_copy(update={"key_type": "rsa-3072"})
    served.lay_down()
    served.run("pki-renew")
    assert "rsaEncryption" in shown(served, "gateway", "-text")
    assert _is_of_caddy(served, authority)


def test_an_authority_that_clients_do_not_trust_is_refused(
    served: Node, tmp_path: Path, settings: PkiSettings
) -> None:
    before = key_of(served, "gateway")
    other = Path(settings.authority_folder) / "root.pem"
    assert served.settings.acme is not None
    trusting = served.settings.acme.model_copy(
        update={"server_root_file": served.settings.root_file}
    )
    served.settings = served.settings.model_copy(update={"root_file": str(other), "acme": trusting})
    served.lay_down()
    said = served.run("pki-renew", "--now", fails=True)
    assert "root.pem does not vouch for the certificate" in said
    assert key_of(served, "gateway") == before


def _is_of_caddy(node: Node, authority: Authority) -> bool:
    path = node.etc / "gateway.pem"
    said = openssl("verify", "-CAfile", authority.root, "-untrusted", path, path)
    assert key_of(node, "gateway") == shown(node, "gateway", "-pubkey")
    return said.strip() == f"{path}: OK"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
