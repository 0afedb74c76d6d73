"""apt itself trusts a repository by the fingerprint, not by whatever lies in the key file."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from flightline.templates import render
from roles.containers.toolkit import SOURCES

pytestmark = pytest.mark.skipif(
    not (shutil.which("gpg") and shutil.which("apt-get")), reason="gpg or apt is not installed here"
)


@pytest.mark.parametrize(("signer", "accepted"), [("nvidia", True), ("stranger", False)])
def test_only_the_key_with_the_fingerprint_is_accepted(
    tmp_path: Path, signer: str, accepted: bool
) -> None:
    """Both keys are in the file, as on a mirror that somebody else writes to."""
    fingerprint = _keys(tmp_path)["nvidia"]
    _repository(tmp_path, signer)
    source = render(
        f"containers{SOURCES}.j2",
        url=f"file:{tmp_path}/repository",
        key=f"{tmp_path}/key.asc",
        fingerprint=fingerprint,
    )
    place = tmp_path / "etc/sources.list.d/toolkit.sources"
    place.parent.mkdir(parents=True)
    place.write_text(source)
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (tmp_path / folder).mkdir(parents=True)
    options = {
        "Dir::Etc": tmp_path / "etc",
        "Dir::State": tmp_path / "state",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": tmp_path / "cache",
        "APT::Sandbox::User": "root",
    }
    given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    done = subprocess.run(
        ["apt-get", *given, "update"], capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) is accepted, done.stderr
    assert ("is not signed" in done.stderr) is not accepted, done.stderr


def _keys(folder: Path) -> dict[str, str]:
    (folder / "gpg").mkdir(mode=0o700)
    for name in ("nvidia", "stranger"):
        _gpg(folder, "--quick-gen-key", f"{name}@example.org", "rsa2048", "sign", "never")
    (folder / "key.asc").write_text(_gpg(folder, "--armor", "--export"))
    lines = _gpg(folder, "--list-keys", "--with-colons").splitlines()
    found = [line.split(":")[9] for line in lines if line.startswith("fpr:")]
    return dict(zip(("nvidia", "stranger"), found, strict=True))


def _repository(folder: Path, signer: str) -> None:
    place = folder / "repository"
    place.mkdir()
    (place / "Packages").write_text("")
    release = f"Origin: test\nSHA256:\n {hashlib.sha256(b'').hexdigest()} 0 Packages\n"
    date = subprocess.run(["date", "-Ru"], capture_output=True, text=True, check=True).stdout
    (place / "Release").write_text(f"Date: {date.strip().replace('+0000', 'UTC')}\n{release}")
    _gpg(folder, "-u", f"{signer}@example.org", "--clearsign",
         "-o", str(place / "InRelease"), str(place / "Release"))  # fmt: skip


def _gpg(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["gpg", "-q", "--batch", "--passphrase", "", *words],
        env={**os.environ, "GNUPGHOME": str(folder / "gpg")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
