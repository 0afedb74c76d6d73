"""The internal authority on the operator's computer."""

from __future__ import annotations

import datetime
import multiprocessing
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from flightline.errors import FlightlineError
from flightline.serving import authority
from flightline.serving.roots import PASSPHRASE, certificates

NAMES = ("gpu-01", "chat.example.org", "192.0.2.7", "2001:db8::7")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "authority"
    authority.ensure(made)
    return made


def request() -> str:
    builder = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([]))
    asked = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return asked.public_bytes(serialization.Encoding.PEM).decode()


def signed(folder: Path, kind: authority.Kind = "node", names: tuple[str, ...] = NAMES) -> str:
    root = authority.root_of(folder, kind)
    return authority.sign_authority(root, request(), kind, "gpu-01", names)


def test_keys_are_the_owners_alone_and_stay_out_of_git(folder: Path) -> None:
    for name in ("root.key", "nodes-root.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert "*.key" in (folder / ".gitignore").read_text().split()
    assert not list(folder.glob(".root*"))


def test_what_is_there_is_never_overwritten(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    authority.ensure(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_that_was_interrupted_after_the_key_goes_on_with_it(folder: Path) -> None:
    key = (folder / "root.key").read_bytes()
    (folder / "root.pem").unlink()
    assert not authority.is_made(folder)
    authority.ensure(folder)
    assert (folder / "root.key").read_bytes() == key
    authority.root_of(folder, "gateway")


def test_many_at_a_time_make_one_authority(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.map(authority.ensure, [tmp_path / "authority"] * 8)
    authority.root_of(tmp_path / "authority", "gateway")
    authority.root_of(tmp_path / "authority", "node")


def test_the_two_roots_are_two(folder: Path) -> None:
    assert authority.trusted(folder, "gateway") != authority.trusted(folder, "node")


def test_a_root_signs_for_ten_years_and_one_level(folder: Path) -> None:
    root = authority.current(folder, "node")
    years = (root.not_valid_after_utc - datetime.datetime.now(datetime.UTC)).days / 365
    assert 9.9 < years < 10.1
    limits = root.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (limits.critical, limits.value.ca, limits.value.path_length) == (True, True, 1)


def test_a_sound_authority_is_left_alone(folder: Path) -> None:
    for kind in authority.ROOTS:
        made = signed(folder, kind)
        assert authority.problem(made, authority.current(folder, kind), kind, NAMES) == ""


def test_what_must_be_signed_anew_is_told(folder: Path, tmp_path: Path) -> None:
    made, root = signed(folder), authority.current(folder, "node")
    assert authority.problem("", root, "node", NAMES) == "there is none"
    assert authority.problem(made, root, "node", NAMES[:2]) == "the names changed"
    assert authority.problem(made, root, "gateway", NAMES) == "the names changed"
    authority.ensure(tmp_path / "other")
    other = authority.current(tmp_path / "other", "node")
    assert authority.problem(made, other, "node", NAMES) == "another root signed it"


def test_an_authority_without_constraints_is_signed_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(authority, "constraints", lambda *_: x509.OCSPNoCheck())
        made = signed(folder)
    told = authority.problem(made, authority.current(folder, "node"), "node", NAMES)
    assert told == "it can sign for any name"


@pytest.mark.parametrize(("days", "told"), [(276, ""), (278, "118 days are left")])
def test_an_authority_near_its_end_is_signed_anew(folder: Path, days: int, told: str) -> None:
    made, root = signed(folder), authority.current(folder, "node")
    with freeze_time(datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)):
        assert authority.problem(made, root, "node", NAMES) == told


def test_an_authority_ends_with_its_root_and_is_then_left_alone(folder: Path) -> None:
    root = authority.current(folder, "node")
    with freeze_time(root.not_valid_after_utc - datetime.timedelta(days=60)):
        made = signed(folder)
        assert certificates(made, "it")[0].not_valid_after_utc == root.not_valid_after_utc
        assert authority.problem(made, root, "node", NAMES) == ""


def test_further_roots_are_trusted_and_do_not_sign(folder: Path, tmp_path: Path) -> None:
    authority.ensure(tmp_path / "new")
    old = (folder / "root.pem").read_text()
    new = (tmp_path / "new/root.pem").read_text()
    (tmp_path / "new/root.pem").write_text(new + old)
    assert authority.trusted(tmp_path / "new", "gateway") == new + old
    authority.root_of(tmp_path / "new", "gateway")


def test_an_encrypted_key_is_opened_by_its_passphrase(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "root.key"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"correct")
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))
    with pytest.raises(FlightlineError, match=f"is encrypted, and {PASSPHRASE} is not set"):
        authority.root_of(folder, "gateway")
    monkeypatch.setenv(PASSPHRASE, "wrong")
    with pytest.raises(FlightlineError, match="does not open it"):
        authority.root_of(folder, "gateway")
    monkeypatch.setenv(PASSPHRASE, "correct")
    authority.root_of(folder, "gateway")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("root.key", None, "run this where the key is"),
        ("root.key", "no key", "is no private key"),
        ("root.pem", "no certificate", "holds no PEM certificate"),
        ("root.pem", None, "restore it from its backup"),
    ],
)
def test_a_spoilt_authority_is_told_of_in_one_sentence(
    folder: Path, name: str, content: str | None, told: str
) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(FlightlineError, match=told) as refused:
        authority.root_of(folder, "gateway")
    assert str(folder / name) in refused.value.message


def test_the_key_of_another_root_is_refused(folder: Path) -> None:
    (folder / "root.key").write_bytes((folder / "nodes-root.key").read_bytes())
    with pytest.raises(FlightlineError, match="is not the key of the first certificate"):
        authority.root_of(folder, "gateway")


def test_a_folder_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FlightlineError, match=r"cannot be written .*PkiSettings\.authority_folder"):
        authority.ensure(tmp_path / "file" / "authority")


def _tampered() -> str:
    body = request()
    swapped = "A" if body[200] != "A" else "B"
    return body[:200] + swapped + body[201:]


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN CERTIFICATE REQUEST-----"])
def test_what_is_no_request_is_not_signed(folder: Path, text: str) -> None:
    root = authority.root_of(folder, "node")
    with pytest.raises(FlightlineError, match="gpu-01 sent no certificate request"):
        authority.sign_authority(root, text, "node", "gpu-01", NAMES)


def test_a_tampered_request_is_not_signed(folder: Path) -> None:
    root = authority.root_of(folder, "node")
    with pytest.raises(FlightlineError, match="gpu-01 sent"):
        authority.sign_authority(root, _tampered(), "node", "gpu-01", NAMES)


HOSTS = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True)


@given(st.lists(HOSTS | st.ip_addresses().map(str), min_size=1, max_size=8, unique=True))
def test_every_form_of_name_is_restricted(names: list[str]) -> None:
    made = authority.constraints("gateway", names)
    permitted = made.permitted_subtrees or []
    excluded = made.excluded_subtrees or []
    for form in (x509.DNSName, x509.IPAddress):
        assert any(isinstance(each, form) for each in [*permitted, *excluded])
    assert len(permitted) == len(names)
