"""Files as they land, compared with golden ones and read by the programs that will read them.

`FLIGHTLINE_GOLDEN=write pytest tests/render/pki` writes the golden files anew; read the diff.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from flightline.operations.bundle import Absent, Directory, File, Item, Link, Merge
from roles.pki import files, wanted
from roles.pki.settings import AcmeSettings, FilesSettings, PkiSettings
from tests.machines.pki import FOLDER

GOLDEN = Path(__file__).parent / "golden"
ROOT = str(FOLDER / "root.pem")
ACME = AcmeSettings(
    server_url="https://ca.example.org/acme/acme/directory",
    email="operators@example.org",
    webroot="/srv/www",
    account_file="/etc/site/acme.ini",
)
SITE = FilesSettings(certificate="/etc/site/chat.pem", key="/etc/site/chat.key")
CASES = {
    "internal": PkiSettings(authority_folder=str(FOLDER), names=("{node}", "192.0.2.7")),
    "acme": PkiSettings(authority_folder=str(FOLDER), source="acme", root_file=ROOT, acme=ACME),
    "files": PkiSettings(authority_folder=str(FOLDER), source="files", root_file=ROOT, files=SITE),
}


def items(name: str) -> tuple[Item, ...]:
    return files.items(CASES[name], "gpu-01", "10.0.0.7")


def shown(name: str) -> str:
    parts = []
    for item in items(name):
        text = f"==> {item.path}\n"
        match item:
            case File() if item.path.endswith(("pki-renew", "pki-authority")):
                text = f"==> {item.path} {item.mode}, as in templates\n"
            case File() | Merge() if item.path.endswith(".pem"):
                content = item.content if isinstance(item, File) else item.merge(None)
                count = content.count("BEGIN CERTIFICATE")
                text = f"==> {item.path} {item.mode}, {count} certificate\n"
            case File():
                text = f"==> {item.path} {item.mode}\n{item.content}"
            case Link():
                text = f"==> {item.path} -> {item.target}\n"
            case Absent():
                text = f"==> {item.path} is absent\n"
            case Directory():
                text = f"==> {item.path}/ {item.mode}\n"
        parts.append(text)
    parts += [f"--> {hook.command}\n    after {hook.paths}\n" for hook in files.hooks()]
    return "".join([*parts, f"packages {' '.join(files.packages(CASES[name]))}\n"])


def content(name: str, path: str) -> str:
    (found,) = (item for item in items(name) if item.path == path)
    assert isinstance(found, File)
    return found.content


@pytest.mark.parametrize("name", CASES)
def test_files_are_the_golden_ones(name: str) -> None:
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("FLIGHTLINE_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(shown(name))
    assert shown(name) == golden.read_text()


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("path", [files.RENEW, files.AUTHORITY, wanted.CONF])
def test_programs_are_good_shell(path: str, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    command = ["busybox", "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*command, "-n"], input=content("acme", path), text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
@pytest.mark.parametrize("path", [files.RENEW, files.AUTHORITY])
def test_shellcheck_finds_nothing(path: str) -> None:
    done = subprocess.run(
        ["shellcheck", "-s", "sh", "-"],
        input=content("internal", path),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("name", CASES)
def test_systemd_reads_the_units(name: str, tmp_path: Path) -> None:
    for path in (files.SERVICE, files.TIMER):
        text = content(name, path).replace(files.RENEW, "/bin/true")
        (tmp_path / Path(path).name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())],
        text=True,
        capture_output=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "flightline" in line]
    assert (done.returncode, ours) == (0, [])


def test_no_secret_is_among_the_files() -> None:
    assert not any("PRIVATE" in shown(name) for name in CASES)
