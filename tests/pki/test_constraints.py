"""What somebody who has taken a node can sign with its authorities, and openssl refuses."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pki.node import Node, openssl

ROOT = {"gateway": "root.pem", "node": "nodes-ca.pem"}
OWN = "subjectAltName=DNS:gpu-01"


def forged(node: Node, kind: str, subject: str, extensions: str) -> Path:
    """Return a leaf with its chain that the node's authority has signed."""
    folder = node.folder / "forged"
    folder.mkdir(exist_ok=True)
    key, request, leaf = (folder / f"leaf.{end}" for end in ("key", "csr", "pem"))
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    openssl("req", "-new", "-key", key, "-subj", subject, "-out", request)
    (folder / "extensions").write_text(extensions)
    authority = node.etc / "authority" / f"{kind}.pem"
    openssl(
        *("x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority, "-days", 3),
        *("-extfile", folder / "extensions", "-out", leaf),
    )
    whole = folder / "whole.pem"
    chain = openssl("x509", "-in", authority)
    whole.write_text(key.read_text() + leaf.read_text() + chain)
    return whole


def verdict(node: Node, kind: str, leaf: Path, root: str = "") -> str:
    trusted = node.etc / (root or ROOT[kind])
    return openssl("verify", "-CAfile", trusted, "-untrusted", leaf, leaf, check=False)


@pytest.mark.parametrize("kind", ["gateway", "node"])
def test_the_nodes_own_name_is_accepted(node: Node, kind: str) -> None:
    assert verdict(node, kind, forged(node, kind, "/", OWN)).endswith(": OK\n")


@pytest.mark.parametrize("kind", ["gateway", "node"])
@pytest.mark.parametrize(
    "names",
    ["DNS:gpu-02", "DNS:gpu-01,DNS:gpu-02", "DNS:*.example.org", "IP:192.0.2.99", "IP:2001:db8::1"],
)
def test_another_name_is_refused(node: Node, kind: str, names: str) -> None:
    said = verdict(node, kind, forged(node, kind, "/", f"subjectAltName=critical,{names}"))
    assert "permitted subtree violation" in said or "excluded subtree violation" in said


@pytest.mark.parametrize("subject", ["/CN=gpu-02", "/O=Flightline/OU=gpu-02", "/CN=gpu-01"])
def test_between_nodes_no_subject_passes_for_a_name(node: Node, subject: str) -> None:
    assert "excluded subtree violation" in verdict(node, "node", forged(node, "node", subject, OWN))


def test_to_clients_a_subject_with_a_domain_does_not_pass_for_a_name(node: Node) -> None:
    leaf = forged(node, "gateway", "/CN=gpu-02.example.org", "basicConstraints=CA:false")
    assert "permitted subtree violation" in verdict(node, "gateway", leaf)


@pytest.mark.parametrize("kind", ["gateway", "node"])
def test_no_authority_below_the_nodes_is_accepted(node: Node, kind: str) -> None:
    leaf = forged(node, kind, "/", f"{OWN}\nbasicConstraints=critical,CA:true")
    authority = node.etc / "authority" / f"{kind}.pem"
    chained = node.folder / "chained.pem"
    key, request = node.folder / "deep.key", node.folder / "deep.csr"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    openssl("req", "-new", "-key", key, "-subj", "/CN=x", "-out", request)
    signed = openssl("x509", "-req", "-in", request, "-CA", leaf, "-CAkey", leaf, "-days", 3)
    chained.write_text(signed[signed.index("-----BEGIN") :] + leaf.read_text())
    said = verdict(node, kind, chained)
    assert "error" in said
    assert authority.exists()


@pytest.mark.parametrize(("kind", "root"), [("gateway", "nodes-ca.pem"), ("node", "root.pem")])
def test_one_kinds_authority_is_not_trusted_for_the_other(node: Node, kind: str, root: str) -> None:
    own = node.etc / f"{kind}.pem"
    assert "unable to get" in verdict(node, kind, own, root)


@pytest.mark.skipif(not shutil.which("certtool"), reason="certtool (gnutls-bin) is not installed")
def test_clients_with_another_library_accept_the_constraints(node: Node) -> None:
    """GnuTLS refuses constraints that it does not know; wget and rsyslog use it."""
    root, whole = node.etc / "root.pem", (node.etc / "gateway.pem").read_text()
    done = subprocess.run(
        ["certtool", "--verify", "--verify-hostname", "gpu-01", "--load-ca-certificate", str(root)],
        input=whole.partition("-----END PRIVATE KEY-----\n")[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
