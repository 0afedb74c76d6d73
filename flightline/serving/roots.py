"""A root of the internal authority as files: made once, never overwritten."""

from __future__ import annotations

import contextlib
import datetime
import os
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flightline.errors import FlightlineError

VALID_YEARS = 10
PASSPHRASE = "FLIGHTLINE_AUTHORITY_PASSPHRASE"  # noqa: S105 - the variable's name
"""Environment variable that opens root keys which the operator has encrypted."""


def make_root(folder: Path, name: str, common_name: str) -> None:
    """The folder has <name>.key and <name>.pem; a key that is there already is used.

    The certificate is written last: a run that was interrupted leaves a key alone, which no node
    knows of. Raises FlightlineError where the folder cannot be written.
    """
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        _write_once(folder / ".gitignore", b"*.key\n", 0o644)
        key = ec.generate_private_key(ec.SECP384R1())
        _write_once(folder / f"{name}.key", _private(key), 0o600)
        key = key_of(folder / f"{name}.key")  # another run may have been first
        _write_once(folder / f"{name}.pem", _self_signed(key, common_name), 0o644)
    except OSError as error:
        raise FlightlineError(
            f"{folder} cannot be written ({error.strerror}); it is to hold the internal authority "
            "(PkiSettings.authority_folder)."
        ) from None


def key_of(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return a root's key; raises FlightlineError without one of that type."""
    passphrase = os.environ.get(PASSPHRASE)
    try:
        key = serialization.load_pem_private_key(
            path.read_bytes(), passphrase.encode() if passphrase else None
        )
    except OSError as error:
        raise FlightlineError(
            f"{path} cannot be read ({error.strerror}); nodes' authorities are signed with it: "
            "run this where the key is, or restore it from its backup."
        ) from None
    except TypeError:
        raise FlightlineError(
            f"{path} is encrypted, and {PASSPHRASE} is {'needless' if passphrase else 'not set'}; "
            f"{'unset' if passphrase else 'set'} it."
        ) from None
    except ValueError:
        raise FlightlineError(
            f"{path} is no private key, or {PASSPHRASE} does not open it; restore it from its "
            "backup."
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise FlightlineError(f"{path} is not an elliptic curve key; use one, such as P-384.")
    return key


def certificates(text: str, place: object) -> list[x509.Certificate]:
    """Return the certificates of PEM text, at least one; raises FlightlineError."""
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise FlightlineError(
            f"{place} holds no PEM certificate, expected one; put it there."
        ) from None


def _self_signed(key: ec.EllipticCurvePrivateKey, common_name: str) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Flightline"),
            # Two roots of one name would be mistaken for one another by programs that go by it.
            x509.NameAttribute(NameOID.COMMON_NAME, f"{common_name} {identifier.digest.hex()[:8]}"),
        ]
    )
    usage = x509.KeyUsage(*(False,) * 5, True, True, False, False)  # certificates and CRLs
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name)
        .serial_number(x509.random_serial_number())
        .public_key(key.public_key())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_YEARS * 365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA384())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_once(path: Path, content: bytes, mode: int) -> None:
    """The file is there, whole: with this content, unless it was there before."""
    if path.exists():
        return
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(fresh).chmod(mode)
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        Path(fresh).unlink()
