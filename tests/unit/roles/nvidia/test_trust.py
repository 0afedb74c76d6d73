"""apt itself, over a repository that we sign: only the key with the written fingerprint counts."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from flightline.templates import render

pytestmark = pytest.mark.skipif(
    not (shutil.which("gpg") and shutil.which("apt-get")), reason="needs gpg and apt-get"
)
STRANGER = "EB693B3035CD5710E231E123A4B469963BF863CC"
Refresh = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def fingerprint(tmp_path: Path) -> str:
    """A repository with one signed, empty index; its key lies beside it."""
    home, repository = tmp_path / "gnupg", tmp_path / "repository"
    home.mkdir(mode=0o700)
    repository.mkdir()
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
    create = ["--quick-generate-key", "site@example.org", "ed25519", "sign", "never"]
    subprocess.run([*gpg, *create], check=True, capture_output=True)
    listed = subprocess.run(
        [*gpg, "--with-colons", "--list-keys"], check=True, capture_output=True, text=True
    ).stdout
    index = gzip.compress(b"", mtime=0)
    (repository / "Packages.gz").write_bytes(index)
    digest = hashlib.sha256(index).hexdigest()
    (tmp_path / "Release").write_text(
        f"Date: Sat, 21 Nov 2026 00:00:00 UTC\nSHA256:\n {digest} {len(index)} Packages.gz\n"
    )
    signed = str(repository / "InRelease")
    subprocess.run([*gpg, "--output", signed, "--clearsign", str(tmp_path / "Release")], check=True)
    subprocess.run([*gpg, "--armor", "--output", str(tmp_path / "key.asc"), "--export"], check=True)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
    return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))


@pytest.fixture
def refresh(tmp_path: Path) -> Refresh:
    """apt-get update that knows nothing but our template's file."""
    tmp_path.chmod(0o755)
    for folder in ("lists/partial", "cache/archives/partial"):
        (tmp_path / folder).mkdir(parents=True)

    def run(trusted: str) -> subprocess.CompletedProcess[str]:
        source = tmp_path / "nvidia.sources"
        source.write_text(
            render(
                "nvidia/etc/apt/sources.list.d/flightline-nvidia.sources.j2",
                url=f"file:{tmp_path}/repository/",
                key=tmp_path / "key.asc",
                fingerprint=trusted,
            )
        )
        options = (
            f"Dir::Etc::sourcelist={source}",
            "Dir::Etc::sourceparts=-",
            f"Dir::State::Lists={tmp_path}/lists",
            f"Dir::Cache={tmp_path}/cache",
            "APT::Sandbox::User=root",
            "Acquire::Languages=none",
        )
        command = ["apt-get", "update", *(word for option in options for word in ("-o", option))]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_the_key_with_the_written_fingerprint_is_trusted(
    fingerprint: str, refresh: Refresh
) -> None:
    said = refresh(fingerprint)
    assert said.returncode == 0, said.stderr
    assert "not signed" not in said.stderr + said.stdout


def test_a_key_file_that_was_exchanged_opens_nothing(fingerprint: str, refresh: Refresh) -> None:
    """The file holds the key that signed, and still does not count."""
    assert fingerprint != STRANGER
    said = refresh(STRANGER)
    assert "NO_PUBKEY" in said.stderr or "not signed" in said.stderr, said.stderr + said.stdout
    assert said.returncode != 0
