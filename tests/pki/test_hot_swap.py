"""New certificates in a real HAProxy, while clients are served."""

from __future__ import annotations

import http.client
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from flightline.serving import authority
from roles.pki import evidence
from roles.pki.settings import PkiSettings
from tests.pki.haproxy import Gateway
from tests.pki.node import Node, openssl
from tests.pki.test_constraints import forged


@pytest.fixture
def gateway(node: Node) -> Iterator[Gateway]:
    made = Gateway(node)
    made.start()
    yield made
    made.stop()


def on_disk(node: Node, kind: str = "gateway") -> str:
    path = node.etc / f"{kind}.pem"
    said = openssl("x509", "-in", path, "-noout", "-fingerprint", "-sha256")
    return said.partition("=")[2].strip().replace(":", "").lower()


def test_a_renewal_is_served_at_once_and_cuts_nobody(gateway: Gateway) -> None:
    lasting = gateway.connect()
    status, before = gateway.ask(lasting)
    assert (status, before) == (200, on_disk(gateway.node))
    for _ in range(5):
        gateway.node.run("pki-renew", "--now")
        assert gateway.ask() == (200, on_disk(gateway.node))
        assert gateway.ask(lasting) == (200, before)


def test_under_load_no_request_fails_while_certificates_change(gateway: Gateway) -> None:
    seen: list[int] = []
    troubles: list[Exception] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            try:
                seen.append(gateway.ask()[0])
            except (OSError, http.client.HTTPException) as trouble:
                troubles.append(trouble)

    clients = [threading.Thread(target=load) for _ in range(3)]
    for each in clients:
        each.start()
    for _ in range(4):
        gateway.node.run("pki-renew", "--now")
    stop.set()
    for each in clients:
        each.join()
    assert not troubles
    assert set(seen) == {200}
    assert len(seen) > 20


def report(node: Node) -> evidence.Report:
    done = subprocess.run(
        ["dash"],
        input=evidence.SCRIPT,
        env=node.variables,
        text=True,
        capture_output=True,
        check=True,
    )
    return evidence.parse_report(done.stdout)


def test_the_audit_sees_what_is_served(gateway: Gateway) -> None:
    found = report(gateway.node)
    for kind in ("gateway", "node"):
        assert found.of(f"{kind}.served") == found.of(f"{kind}.fingerprint") != ""
    assert found.of("gateway.served12") == ""


def test_the_audit_sees_that_handing_over_was_forgotten(gateway: Gateway) -> None:
    gateway.node.loader.write_text("#!/bin/sh\n")
    gateway.node.run("pki-renew", "--now")
    found = report(gateway.node)
    assert found.of("gateway.served") != found.of("gateway.fingerprint")


def test_a_door_that_shows_another_nodes_certificate_is_refused(
    node: Node, tmp_path: Path, settings: PkiSettings
) -> None:
    other = Node(tmp_path / "other", settings, name="gpu-02")
    other.lay_down()
    other.certify()
    taken = Gateway(node, door_pem=str(other.etc / "node.pem"))
    taken.start()
    assert taken.ask()[0] == 503
    taken.stop()
    honest = Gateway(node, peer="gpu-02", door_pem=str(other.etc / "node.pem"))
    honest.start()
    assert honest.ask()[0] == 200
    honest.stop()


@pytest.mark.parametrize(("asker", "status"), [("gpu-01", 200), ("gpu-02", 403)])
def test_a_door_knows_a_node_by_its_authority(node: Node, asker: str, status: int) -> None:
    made = Gateway(node, asker=asker)
    made.start()
    assert made.ask()[0] == status
    made.stop()


def test_a_taken_node_does_not_pass_for_another_by_its_subject(
    node: Node, tmp_path: Path, settings: PkiSettings
) -> None:
    other = Node(tmp_path / "other", settings, name="gpu-02")
    other.lay_down()
    other.certify()
    leaf = forged(other, "node", "/CN=gpu-01", "subjectAltName=DNS:gpu-02")
    taken = Gateway(node, door_pem=str(leaf))
    taken.start()
    assert taken.ask()[0] == 503
    taken.stop()


def test_without_the_constraint_on_subjects_it_would(
    node: Node, tmp_path: Path, settings: PkiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HAProxy takes a subject's CN for a host name, whatever the alternative names say."""
    monkeypatch.setattr(
        authority,
        "constraints",
        lambda _kind, names: x509.NameConstraints([x509.DNSName(name) for name in names[:1]], None),
    )
    other = Node(tmp_path / "other", settings, name="gpu-02")
    other.lay_down()
    other.certify()
    leaf = forged(other, "node", "/CN=gpu-01", "subjectAltName=DNS:gpu-02")
    taken = Gateway(node, door_pem=str(leaf))
    taken.start()
    assert taken.ask()[0] == 200
    taken.stop()
