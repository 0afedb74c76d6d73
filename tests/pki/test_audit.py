"""The role's checks on real certificates: sound ones pass, spoilt ones turn their check red."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from flightline.audit.answers import Answer
from flightline.audit.judge import judge
from flightline.audit.selection import all_checks
from flightline.audit.verdict import root_cause
from flightline.report.record import Outcome
from flightline.serving import authority
from roles.pki import evidence
from roles.pki.settings import PkiSettings
from tests.pki.node import Node, openssl
from tests.pki.test_constraints import forged

CHECKS = tuple(each for each in all_checks() if each.role == "pki")
_SYSTEMCTL = """#!/bin/sh
case $* in
    *renew.timer) echo ActiveState=active; echo UnitFileState=enabled ;;
    *renew.service) echo Result=success; echo ExecMainStatus=0 ;;
    *) exit 3 ;;
esac
"""


def alarms(node: Node) -> dict[str, str]:
    """Return what is red for a reason of its own."""
    node.program("systemctl", _SYSTEMCTL)
    done = subprocess.run(
        ["dash"], input=evidence.SCRIPT, env=node.variables, text=True, capture_output=True,
        check=True,
    )  # fmt: skip
    judged = judge(
        node.name,
        CHECKS,
        {"pki": node.settings},
        lambda commands: {each: Answer(each, 0, done.stdout.encode()) for each in commands},
    )
    assert judged.rounds == 1
    return {
        name: found.message
        for name, found in judged.findings.items()
        if found.outcome in (Outcome.FAIL, Outcome.UNKNOWN)
        and root_cause(found, judged.findings) is None
    }


@pytest.mark.parametrize(
    ("names", "address", "key_type"),
    [
        (("{node}",), None, "ecdsa-p256"),
        (("{node}", "chat.example.org", "192.0.2.7"), "10.0.0.7", "ecdsa-p384"),
        (("2001:db8::7", "192.0.2.7"), "fd00::7", "rsa-3072"),
    ],
)
def test_a_sound_node_passes_every_check(
    tmp_path: Path, settings: PkiSettings, names: tuple[str, ...], address: str, key_type: str
) -> None:
    declared = settings.model_copy(update={"names": names, "key_type": key_type})
    made = Node(tmp_path / "made", declared, address=address)
    made.lay_down()
    made.certify()
    made.run("pki-renew", "--now")
    assert alarms(made) == {}


def test_a_node_that_is_named_by_its_address_passes_too(
    tmp_path: Path, settings: PkiSettings
) -> None:
    made = Node(tmp_path / "made", settings, name="192.0.2.9", address=None)
    made.lay_down()
    made.certify()
    assert alarms(made) == {}


def _lost(node: Node) -> None:
    (node.etc / "gateway.pem").unlink()


def _mixed(node: Node) -> None:
    path = node.etc / "gateway.pem"
    old = path.read_text().partition("-----END PRIVATE KEY-----\n")
    key = (node.etc / "node.pem").read_text().partition("-----END PRIVATE KEY-----\n")
    path.write_text(key[0] + key[1] + old[2])


def _readable(node: Node) -> None:
    (node.etc / "gateway.pem").chmod(0o640)


def _copied(node: Node) -> None:
    shutil.copyfile(node.etc / "gateway.pem", node.etc / ".backup")
    (node.etc / ".backup").chmod(0o644)


def _smuggled(node: Node) -> None:
    other = node.folder / "other"
    authority.ensure(other)
    with (node.etc / "nodes-ca.pem").open("a") as file:
        file.write((other / "nodes-root.pem").read_text())


def _unconstrained(node: Node) -> None:
    """Somebody with the root's key has signed an authority that is for any name."""
    place, folder = node.etc / "authority/gateway.pem", Path(node.settings.authority_folder)
    (node.folder / "request").write_text(
        openssl("req", "-new", "-key", place, "-subj", "/CN=gateway authority")
    )
    (node.folder / "extensions").write_text("basicConstraints=critical,CA:true,pathlen:0\n")
    openssl(
        *("x509", "-req", "-in", node.folder / "request", "-CA", folder / "root.pem"),
        *("-CAkey", folder / "root.key", "-days", 397, "-out", node.folder / "signed"),
        *("-extfile", node.folder / "extensions"),
    )
    key = place.read_text().partition("-----END PRIVATE KEY-----\n")
    place.write_text(key[0] + key[1] + (node.folder / "signed").read_text())


def _put_there(node: Node) -> None:
    """A certificate of the node's own authority, for one more name under it, not by pki-renew."""
    extensions = "subjectAltName=DNS:gpu-01,DNS:login.gpu-01\nextendedKeyUsage=serverAuth"
    leaf = forged(node, "gateway", "/O=Flightline", extensions)
    (node.etc / "gateway.pem").write_text(leaf.read_text())


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_lost, {"pki-certificates-valid"}),
        (_mixed, {"pki-keys-match"}),
        (_readable, {"pki-keys-private"}),
        (_copied, {"pki-keys-private"}),
        (_smuggled, {"pki-roots-declared"}),
        (_unconstrained, {"pki-authority-constrained"}),
        (_put_there, {"pki-names-declared", "pki-keys-fresh"}),
    ],
)
def test_what_is_spoilt_is_found(
    node: Node, spoil: Callable[[Node], None], expected: set[str]
) -> None:
    spoil(node)
    assert set(alarms(node)) == expected


def test_another_root_on_this_computer_is_found(node: Node, tmp_path: Path) -> None:
    authority.ensure(tmp_path / "other")
    node.settings = node.settings.model_copy(update={"authority_folder": str(tmp_path / "other")})
    assert set(alarms(node)) == {"pki-roots-declared"}


def test_without_the_declared_root_nothing_is_certain(node: Node, tmp_path: Path) -> None:
    node.settings = node.settings.model_copy(update={"authority_folder": str(tmp_path / "gone")})
    assert "root.pem cannot be read" in alarms(node)["pki-roots-declared"]


def test_a_disabled_role_is_not_judged(node: Node) -> None:
    judged = judge("gpu-01", CHECKS, {"pki": PkiSettings()}, lambda _commands: {})
    assert {each.outcome for each in judged.findings.values()} == {Outcome.NOT_APPLICABLE}
    assert judged.rounds == 0
