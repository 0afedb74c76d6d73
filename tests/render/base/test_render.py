"""Files as they land, compared with golden ones and read by the programs that will read them.

`FLIGHTLINE_GOLDEN=write pytest tests/render/base` writes the golden files anew; read the diff.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from flightline.operations.bundle import File, Merge
from roles.base import files
from roles.base.distributions import DEBIAN, RHEL, Distribution
from roles.base.settings import BaseSettings, HostEntry, OperatorSettings, SshdSettings

GOLDEN = Path(__file__).parent / "golden"
FULL = BaseSettings(
    hostname="{node}.example.org",
    hosts=(HostEntry(address="10.0.0.5", names=("registry.example.org", "registry")),),
    ntp_servers=("ntp1.example.org", "192.0.2.1"),
    automatic_upgrades=True,
    operators=(OperatorSettings(name="alice"), OperatorSettings(name="eve", sudo=False)),
    sshd=SshdSettings(permit_root_login="no", allow_users=("alice", "eve")),
)
CASES = {
    "default": (BaseSettings(), DEBIAN, False),
    "free-running": (BaseSettings(ntp_servers=()), DEBIAN, False),
    "ubuntu-full": (FULL, DEBIAN, True),
    "rhel-full": (FULL, RHEL, False),
}
Case = tuple[BaseSettings, Distribution, bool]


def landing(case: Case) -> dict[str, str]:
    """Path and content of all files; a merge is shown on a node without the file."""
    settings, distribution, is_ubuntu = case
    found = {}
    for item in files.items(settings, "gpu-01", distribution, is_ubuntu=is_ubuntu):
        if isinstance(item, File):
            found[item.path] = item.content
        if isinstance(item, Merge):
            found[item.path] = item.merge(None)
    return found


def shown(contents: dict[str, str]) -> str:
    return "".join(f"==> {path}\n{content}" for path, content in sorted(contents.items()))


@pytest.mark.parametrize("name", CASES)
def test_files_are_the_golden_ones(name: str) -> None:
    rendered, golden = shown(landing(CASES[name])), GOLDEN / f"{name}.txt"
    if os.environ.get("FLIGHTLINE_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(rendered)
    assert rendered == golden.read_text()


@pytest.mark.parametrize("name", CASES)
def test_every_file_ends_with_a_newline_and_has_no_empty_line_of_a_tag(name: str) -> None:
    for path, content in landing(CASES[name]).items():
        assert content.endswith("\n") or not content, path
        assert "\n\n" not in content, path


def read_by(tmp_path: Path, name: str, path: str, program: str, *arguments: str) -> None:
    """Have the program read the file; the test is skipped where the program is missing."""
    found = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    staged = tmp_path / Path(path).name
    staged.write_text(landing(CASES[name])[path])
    staged.chmod(0o440)
    command = [found, *(word.replace("{staged}", str(staged)) for word in arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr + run.stdout


@pytest.mark.parametrize("name", CASES)
def test_visudo_reads_the_sudoers_file(name: str, tmp_path: Path) -> None:
    read_by(tmp_path, name, files.SUDOERS, "visudo", "-cf", "{staged}")


@pytest.mark.parametrize("name", CASES)
def test_sshd_reads_its_drop_in(name: str, tmp_path: Path) -> None:
    key = tmp_path / "host"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    Path("/run/sshd").mkdir(exist_ok=True) if os.getuid() == 0 else None
    read_by(tmp_path, name, files.SSHD, "sshd", "-t", "-f", "{staged}", "-h", str(key))


@pytest.mark.parametrize("name", ["default", "free-running", "ubuntu-full"])
def test_apt_reads_its_file_and_has_the_whole_list(name: str, tmp_path: Path) -> None:
    read_by(tmp_path, name, files.APT, "apt-config", "-c", "{staged}", "dump")
    staged = tmp_path / Path(files.APT).name
    command = ["apt-config", "-c", str(staged), "dump", "Unattended-Upgrade::Package-Blacklist"]
    dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for prefix in BaseSettings().upgrade_blocklist:
        assert f'::Package-Blacklist:: "{prefix}";' in dumped


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("default", "/etc/chrony/conf.d/flightline.conf"),
        ("free-running", "/etc/chrony/conf.d/flightline.conf"),
        ("ubuntu-full", "/etc/chrony/conf.d/flightline.conf"),
        ("rhel-full", "/etc/chrony.d/flightline.conf"),
    ],
)
def test_chronyd_reads_its_drop_in(name: str, path: str, tmp_path: Path) -> None:
    read_by(tmp_path, name, path, "chronyd", "-p", "-f", "{staged}")


def test_perl_reads_what_needrestart_will(tmp_path: Path) -> None:
    read_by(tmp_path, "ubuntu-full", files.NEEDRESTART, "perl", "-c", "{staged}")


@pytest.mark.parametrize("shell", [["dash", "-n"], ["busybox", "sh", "-n"]], ids=" ".join)
def test_shells_read_the_guard(shell: list[str], tmp_path: Path) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed")
    subprocess.run([*shell, "-c", files.sshd_guard()], check=True)
