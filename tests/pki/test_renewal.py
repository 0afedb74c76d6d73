"""Certificates of a node, made by its own program and judged by openssl."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

from roles.pki.settings import PkiSettings
from tests.pki.node import Node, openssl

KINDS = ("gateway", "node")
ROOT = {"gateway": "root.pem", "node": "nodes-ca.pem"}


def shown(node: Node, kind: str, *words: str) -> str:
    return openssl("x509", "-in", node.etc / f"{kind}.pem", "-noout", *words)


def key_of(node: Node, kind: str) -> str:
    return openssl("pkey", "-in", node.etc / f"{kind}.pem", "-pubout")


def keys(node: Node) -> set[str]:
    return {key_of(node, kind) for kind in KINDS}


def is_sound(node: Node, kind: str) -> bool:
    path = node.etc / f"{kind}.pem"
    assert key_of(node, kind) == shown(node, kind, "-pubkey")
    said = openssl(
        *("verify", "-x509_strict", "-CAfile", node.etc / ROOT[kind]),
        *("-untrusted", path, path),
    )
    return said.strip() == f"{path}: OK"


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_is_a_verified_pair_that_only_root_reads(node: Node, kind: str) -> None:
    assert is_sound(node, kind)
    assert oct((node.etc / f"{kind}.pem").stat().st_mode)[-3:] == "600"


def test_certificates_say_what_they_are_for(node: Node) -> None:
    gateway = shown(node, "gateway", "-ext", "extendedKeyUsage,subjectAltName")
    assert "Web Server" in gateway
    assert "Client" not in gateway
    assert "DNS:gpu-01\n" in gateway
    between = shown(node, "node", "-ext", "extendedKeyUsage,subjectAltName")
    assert "TLS Web Server Authentication, TLS Web Client Authentication" in between
    assert "DNS:gpu-01, IP Address:127.0.0.1\n" in between


def test_a_certificate_is_backdated_by_an_hour_and_ends_as_declared(node: Node) -> None:
    start, end = (shown(node, "gateway", word) for word in ("-startdate", "-enddate"))
    seconds = [
        int(subprocess.check_output(["date", "-d", each.partition("=")[2].strip(), "+%s"]))
        for each in (start, end)
    ]
    assert abs(seconds[0] + 3600 - time.time()) < 60
    assert abs(seconds[1] - 96 * 3600 - time.time()) < 60


def test_nothing_is_renewed_before_it_is_due(node: Node) -> None:
    before = keys(node)
    assert node.run("pki-renew", "--due") == ""
    node.run("pki-renew")
    assert keys(node) == before


def test_a_renewal_changes_every_key_and_keeps_the_authority(node: Node) -> None:
    before = keys(node)
    authority = (node.etc / "authority" / "node.pem").read_text()
    node.run("pki-renew", "--now")
    assert not keys(node) & before
    assert all(is_sound(node, kind) for kind in KINDS)
    assert (node.etc / "authority" / "node.pem").read_text() == authority
    history = (node.state / "gateway.history").read_text().split("\n")[:-1]
    assert len({line.split()[1] for line in history}) == len(history) == 2


def age(node: Node, kind: str, hours: float) -> None:
    """Have the node believe that it made the certificate so long ago."""
    path = node.state / f"{kind}.history"
    made, rest = path.read_text().split(" ", 1)
    path.write_text(f"{int(made) - int(hours * 3600)} {rest}")


@pytest.mark.parametrize(("hours", "due"), [(46.7, ""), (46.8, "node it is 46 hours old\n")])
def test_what_would_be_too_old_at_the_next_turn_is_due(node: Node, hours: float, due: str) -> None:
    age(node, "node", hours)
    assert node.run("pki-renew", "--due") == due


def test_only_what_is_due_is_renewed(node: Node) -> None:
    gateway, between = key_of(node, "gateway"), key_of(node, "node")
    age(node, "node", 50)
    node.run("pki-renew")
    assert key_of(node, "gateway") == gateway
    assert key_of(node, "node") != between


@pytest.mark.parametrize(
    "update",
    [{"names": ("chat.example.org", "192.0.2.7")}, {"key_type": "rsa-3072"}, {"valid_hours": 200}],
)
def test_a_changed_declaration_is_taken_up(node: Node, update: dict[str, object]) -> None:
    node.settings = node.settings.model_copy(update=update)
    node.lay_down()
    assert "gateway it was made from something else" in node.run("pki-renew", "--due")
    node.certify()
    assert node.run("pki-renew", "--due") == ""
    assert is_sound(node, "gateway")
    if "names" in update:
        shown_names = shown(node, "gateway", "-ext", "subjectAltName")
        assert "DNS:chat.example.org, IP Address:192.0.2.7\n" in shown_names


def test_a_certificate_never_outlives_its_authority(node: Node, tmp_path: Path) -> None:
    text = (node.etc / "renew.conf").read_text()
    long = re.sub("valid_seconds=.*", f"valid_seconds={500 * 86400}", text)
    (node.etc / "renew.conf").write_text(long)
    node.run("pki-renew", "--now")
    authority = openssl("x509", "-in", node.etc / "authority/gateway.pem", "-noout", "-enddate")
    assert shown(node, "gateway", "-enddate") == authority


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_certificate_is_made_again(node: Node, kind: str) -> None:
    (node.etc / f"{kind}.pem").unlink()
    node.run("pki-renew")
    assert is_sound(node, kind)


def test_without_an_authority_the_renewal_fails_and_names_it(node: Node) -> None:
    (node.etc / "authority/node.pem").unlink()
    before = key_of(node, "node")
    said = node.run("pki-renew", "--now", fails=True)
    assert "authority/node.pem is missing; apply the role pki" in said
    assert key_of(node, "node") == before


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "rsa-3072"])
def test_every_type_of_key_verifies(tmp_path: Path, settings: PkiSettings, key_type: str) -> None:
    made = Node(tmp_path / "typed", settings.model_copy(update={"key_type": key_type}))
    made.lay_down()
    made.certify()
    assert all(is_sound(made, kind) for kind in KINDS)
