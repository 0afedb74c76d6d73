"""The identity provider's key is judged on this computer, with keys that `openssl` made."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import pytest

from flightline.errors import FlightlineError
from flightline.serving import token_key
from roles.gateway.settings import GatewaySettings, JwtSettings

RSA = "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048"
EC = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve"
TODAY = datetime.date(2026, 11, 21)


def make(bare_project: Path, command: str, form: str = "PEM") -> None:
    line = f"{command} 2>/dev/null | openssl pkey -pubout -outform {form} -out idp.pem"
    subprocess.run(["sh", "-ec", line], cwd=bare_project, check=True)


def refusal(algorithm: str = "RS256") -> str:
    with pytest.raises(FlightlineError) as caught:
        token_key.public_key("idp.pem", algorithm)
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(("algorithm", "command"), [("RS256", RSA), ("ES256", f"{EC}:P-256")])
def test_a_key_of_the_algorithm_is_taken(bare_project: Path, algorithm: str, command: str) -> None:
    make(bare_project, command)
    assert token_key.public_key("idp.pem", algorithm) == (bare_project / "idp.pem").read_text()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (f"{EC}:P-256", "is a key for ES256, and JwtSettings.algorithm is RS256"),
        (f"{EC}:P-384", "is a key for neither (EC secp384r1)"),
        ("openssl genpkey -algorithm ED25519", "is a key for neither (Ed25519PublicKey)"),
    ],
)
def test_a_key_of_another_kind_is_refused(bare_project: Path, command: str, told: str) -> None:
    make(bare_project, command)
    assert told in refusal()


def test_a_private_key_is_not_sent_to_gateways(bare_project: Path) -> None:
    subprocess.run(["sh", "-ec", f"{RSA} -out idp.pem 2>/dev/null"], cwd=bare_project, check=True)
    assert "holds a private key; a gateway needs the public one alone" in refusal()


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe\x00", b"-----BEGIN PUBLIC KEY-----"])
def test_what_is_no_key_is_refused(bare_project: Path, content: bytes) -> None:
    (bare_project / "idp.pem").write_bytes(content)
    assert "idp.pem is no public key in PEM; convert it with" in refusal()


def test_a_key_that_is_not_in_pem_is_refused(bare_project: Path) -> None:
    make(bare_project, RSA, "DER")
    assert "is no public key in PEM" in refusal()


def test_a_file_that_is_not_there_is_named_with_its_field(bare_project: Path) -> None:
    assert f"{bare_project}/idp.pem cannot be read (No such file" in refusal()
    assert "JwtSettings.key_file names it" in refusal()


@pytest.mark.parametrize("public", [True, False])
def test_the_settings_refuse_a_bad_key_before_any_node_is_asked(
    bare_project: Path, *, public: bool
) -> None:
    (bare_project / "idp.pem").write_text("hello")
    jwt = JwtSettings(algorithm="RS256", key_file="idp.pem", issuer="https://idp", audience="llm")
    with pytest.raises(FlightlineError, match="is no public key in PEM"):
        GatewaySettings(enabled=True, public=public, jwt=jwt).warnings(TODAY)
    assert GatewaySettings(jwt=jwt).warnings(TODAY) == ()
    make(bare_project, RSA)
    assert len(GatewaySettings(enabled=True, jwt=jwt).warnings(TODAY)) == 1  # no keys file
