"""JSON web tokens, signed here with a library of its own, judged by a real gateway."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from roles.gateway.settings import JwtSettings
from tests.gateway.conftest import Make
from tests.gateway.rig import Rig

Sign = Callable[..., str]
NONE = b'{"alg":"none"}'
ISSUER, AUDIENCE = "https://idp.example.com/realms/llm", "llm"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a good token; None takes one away."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "eva", "role": "data_scientist"}
    said = {**good, "exp": int(time.time()) + 300, **changes}
    return {name: value for name, value in said.items() if value is not None}


def token(key: Any, algorithm: str, said: dict[str, Any], **header: Any) -> str:
    head = b64(json.dumps({"typ": "JWT", "alg": algorithm, **header}).encode())
    signed = f"{head}.{b64(json.dumps(said).encode())}"
    return f"{signed}.{b64(signature(key, signed.encode()))}"


def signature(key: Any, data: bytes) -> bytes:
    if isinstance(key, bytes):
        return hmac.new(key, data, hashlib.sha256).digest()
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return bytes(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def pem(key: Any) -> bytes:
    kind, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_key().public_bytes(kind, form))


KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
}


@pytest.fixture(scope="module", params=["RS256", "ES256"])
def issued(request: pytest.FixtureRequest, make: Make) -> tuple[Rig, Sign]:
    """Return a gateway that takes tokens, and how to sign one."""
    algorithm = request.param
    key = KEYS[algorithm]
    rig = make_with_key(make, algorithm, key)
    return rig, lambda **changes: token(key, algorithm, claims(**changes))


def make_with_key(make: Make, algorithm: str, key: Any, **more: Any) -> Rig:
    jwt = JwtSettings(
        algorithm=algorithm, key_file="idp.pem", issuer=ISSUER, audience=AUDIENCE,
        leeway_seconds=2, **more,
    )  # fmt: skip
    return make(jwt=jwt, public_key=pem(key))


def test_a_good_token_is_its_holder_with_its_role(issued: tuple[Rig, Sign]) -> None:
    rig, sign = issued
    rig.logged()
    assert rig.chat(key=sign()).status == 200
    line = rig.logged()[-1]
    assert (line["who"], line["role"], line["auth"]) == ("eva", "data_scientist", "jwt")
    assert rig.ask("GET", "/admin/audit", key=sign()).status == 403
    assert rig.ask("POST", "/v2/repository/models/chat/load", {}, sign(role="admin")).status == 200


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"exp": 1_000_000_000}, 401, "expired_token"),
        ({"exp": None}, 401, "expired_token"),
        ({"exp": "soon"}, 401, "expired_token"),
        ({"nbf": 4_000_000_000}, 401, "token_not_yet_valid"),
        ({"iss": "https://evil.example.com"}, 401, "wrong_issuer"),
        ({"iss": None}, 401, "wrong_issuer"),
        ({"aud": "other"}, 401, "wrong_audience"),
        ({"aud": ["other", "more"]}, 401, "wrong_audience"),
        ({"aud": None}, 401, "wrong_audience"),
        ({"sub": None}, 401, "anonymous_token"),
        ({"role": "superuser"}, 403, "no_role"),
        ({"role": None}, 403, "no_role"),
    ],
)
def test_a_token_that_says_something_else_is_refused(
    issued: tuple[Rig, Sign], changes: dict[str, Any], status: int, code: str
) -> None:
    rig, sign = issued
    answer = rig.chat(key=sign(**changes))
    assert (answer.status, answer.code) == (status, code)


def test_lists_of_audiences_and_roles_are_read(issued: tuple[Rig, Sign]) -> None:
    rig, sign = issued
    assert rig.chat(key=sign(aud=["account", "llm"], role=["x", "data_scientist"])).status == 200
    both = sign(role=["data_scientist", "admin"])
    assert rig.ask("POST", "/v2/repository/models/chat/load", {}, both).status == 200


def test_a_token_that_ends_is_refused_from_then_on(issued: tuple[Rig, Sign]) -> None:
    rig, sign = issued
    short = sign(exp=int(time.time()) - 1)  # within the leeway of 2 s
    assert rig.chat(key=short).status == 200
    time.sleep(2.2)
    assert rig.chat(key=short).status == 401


def test_what_was_tampered_with_is_refused(issued: tuple[Rig, Sign]) -> None:
    rig, sign = issued
    head, said, signed = sign().split(".")
    richer = b64(json.dumps(claims(role="admin")).encode())
    cut = [f"{head}.{richer}.{signed}", f"{head}.{said}.", f"{head}.{said}", f"{head}..{signed}",
           f"{head}.{said}.{signed[:-8]}AAAAAAAA", f"{head}.{said}.{signed}.x"]  # fmt: skip
    for each in cut:
        assert rig.chat(key=each).status == 401, each


def test_the_token_does_not_choose_its_algorithm(issued: tuple[Rig, Sign]) -> None:
    rig, _ = issued
    assert rig.settings.jwt is not None
    public = (rig.folder / "etc" / "jwt.pem").read_bytes()
    other = "ES256" if rig.settings.jwt.algorithm == "RS256" else "RS256"
    forged = [
        token(public, "HS256", claims()),
        token(KEYS[other], other, claims()),
        token(public, "HS256", claims(), alg=rig.settings.jwt.algorithm),
        f"{b64(NONE)}.{b64(json.dumps(claims()).encode())}.",
    ]
    for each in forged:
        assert rig.chat(key=each).status == 401, each


def test_another_key_of_the_same_kind_is_refused(make: Make) -> None:
    stranger = rsa.generate_private_key(65537, 2048)
    rig = make_with_key(make, "RS256", KEYS["RS256"])
    assert rig.chat(key=token(stranger, "RS256", claims())).status == 401


def test_a_nested_claim_gives_the_role_that_settings_say(make: Make) -> None:
    rig = make_with_key(
        make, "RS256", KEYS["RS256"],
        role_claim="realm_access.roles", roles={"llm-ops": "admin", "llm-user": "data_scientist"},
    )  # fmt: skip

    def status(*roles: str) -> int:
        said = claims(realm_access={"roles": list(roles)})
        held = token(KEYS["RS256"], "RS256", said)
        return rig.ask("POST", "/v2/repository/models/chat/load", {}, held).status

    assert (status("offline", "llm-ops"), status("llm-user"), status("admin")) == (200, 403, 403)


def test_keys_still_count_beside_tokens(issued: tuple[Rig, Sign]) -> None:
    rig, _ = issued
    assert rig.chat().status == 200
    assert rig.chat(key="eyJ-but-no-token").status == 401


def test_openssl_agrees_with_the_signature(tmp_path: Path) -> None:
    """The oracle of the tests above: what they call a good token is one for openssl."""
    head, said, signed = token(KEYS["RS256"], "RS256", claims()).split(".")
    (tmp_path / "key.pem").write_bytes(pem(KEYS["RS256"]))
    (tmp_path / "signed").write_bytes(base64.urlsafe_b64decode(signed + "=="))
    verify = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signed"]
    done = subprocess.run(
        verify, check=False, cwd=tmp_path, input=f"{head}.{said}".encode(), capture_output=True
    )
    assert done.returncode == 0
