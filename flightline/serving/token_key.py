"""The public key that tokens are verified with: a file of the project, judged on this computer."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from flightline import project
from flightline.errors import FlightlineError

_FIELD = "JwtSettings.key_file"


def public_key(key_file: str, algorithm: str) -> str:
    """Return the PEM text of the identity provider's key, which fits the algorithm.

    `key_file` is relative to the project's root; `algorithm` is RS256 or ES256. Raises
    FlightlineError where the file is not there, is no public key in PEM, or is one of another kind.
    """
    path = project.root() / key_file
    text = _read(key_file)
    if "PRIVATE KEY" in text:
        raise FlightlineError(
            f"{path} holds a private key; a gateway needs the public one alone: extract it with "
            f"`openssl pkey -in {key_file} -pubout` ({_FIELD})."
        )
    try:
        kind = _kind(text)
    except (ValueError, UnsupportedAlgorithm):
        raise FlightlineError(
            f"{path} is no public key in PEM; convert it with `openssl pkey -pubin -inform DER`, "
            f"or take it from a certificate with `openssl x509 -pubkey -noout` ({_FIELD})."
        ) from None
    if kind != algorithm:
        raise FlightlineError(
            f"{path} is a key for {kind}, and JwtSettings.algorithm is {algorithm}; set the "
            "algorithm that the identity provider signs with, and its key."
        )
    return text


def _read(key_file: str) -> str:
    project.refuse_missing(key_file, _FIELD)
    # what is no ASCII is no PEM either, and is said to be none
    return (project.root() / key_file).read_text(encoding="ascii", errors="replace")


def _kind(text: str) -> str:
    """Return the algorithm that a key is for; ValueError for what is no key."""
    key = load_pem_public_key(text.encode())
    if isinstance(key, rsa.RSAPublicKey):
        return "RS256"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "ES256" if key.curve.name == "secp256r1" else f"neither (EC {key.curve.name})"
    return f"neither ({type(key).__name__.lstrip('_')})"
