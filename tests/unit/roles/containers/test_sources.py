"""Each distribution gets the packages that it has, from a repository that is trusted by one key."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from flightline.errors import FlightlineError, NodeRefused
from flightline.operations.bundle import Absent, File
from roles.containers import sources
from roles.containers.settings import ContainersSettings
from roles.containers.sources import DEB_KEY, RPM_KEY, SigningKey, packages, repository
from tests.unit.roles.containers.conftest import MakeNode

ROOT = Path(__file__).parents[4]
DOCKER = ContainersSettings(source="docker")


@pytest.mark.parametrize("key", [DEB_KEY, RPM_KEY], ids=lambda key: key.template)
def test_the_pinned_keys_are_dockers(key: SigningKey, tmp_path: Path) -> None:
    """gpg reads the fingerprint; the expected ones are those that Docker publishes."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed here")
    command = ["gpg", "--homedir", str(tmp_path), "--batch", "--with-colons", "--show-keys"]
    tmp_path.chmod(0o700)
    said = subprocess.run(
        [*command, str(ROOT / "templates" / key.template)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    primary = next(line.split(":")[9] for line in said.splitlines() if line.startswith("fpr"))
    published = {
        "9DC858229FC7DD38854AE2D88D81803C0EBFCD88",
        "060A61C51B558A7F742B77AAC52FEB6B621E9F35",
    }
    assert primary == key.fingerprint
    assert primary in published


def test_a_key_that_was_exchanged_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "render", lambda _: "another key")
    with pytest.raises(FlightlineError, match="expected 1500c1f5"):
        DEB_KEY.text()


@pytest.mark.parametrize(
    ("version", "has_client"), [("12", False), ("13", True)], ids=["bookworm", "trixie"]
)
def test_debian_13_needs_the_client_beside_the_engine(
    make_node: MakeNode, version: str, has_client: bool
) -> None:
    found = packages(make_node(version=version), ContainersSettings())
    assert ("docker-cli" in found.present) is has_client
    assert {"docker.io", "containerd", "apparmor"} <= set(found.present)
    assert "docker-ce" in found.absent


def test_ubuntus_engine_carries_its_client(make_node: MakeNode) -> None:
    node = make_node(distribution="ubuntu", version="24.04", codename="noble")
    assert "docker-cli" not in packages(node, ContainersSettings()).present


@pytest.mark.parametrize("source", ["distribution", "docker"])
def test_no_package_is_wanted_and_unwanted(make_node: MakeNode, source: str) -> None:
    found = packages(make_node(), ContainersSettings.model_validate({"source": source}))
    assert not set(found.present) & set(found.absent)
    assert set(found.held) <= set(found.present)
    assert "apparmor" not in found.held


def test_nothing_is_held_where_holding_is_declined(make_node: MakeNode) -> None:
    assert packages(make_node(), ContainersSettings(hold_packages=False)).held == ()


@pytest.mark.parametrize(
    ("system", "lines"),
    [
        (("debian", "12", "bookworm", "x86_64"), ("linux/debian", "bookworm", "amd64")),
        (("debian", "13", "trixie", "aarch64"), ("linux/debian", "trixie", "arm64")),
        (("ubuntu", "22.04", "jammy", "x86_64"), ("linux/ubuntu", "jammy", "amd64")),
        (("ubuntu", "24.04", "noble", "x86_64"), ("linux/ubuntu", "noble", "amd64")),
    ],
    ids=lambda value: value[0],
)
def test_apt_is_told_one_repository_and_one_key(
    make_node: MakeNode, system: tuple[str, ...], lines: tuple[str, ...]
) -> None:
    names = ("distribution", "version", "codename", "architecture")
    node = make_node(**dict(zip(names, system, strict=True)))
    files = {item.path: item.content for item in repository(node, DOCKER) if isinstance(item, File)}
    source = files["/etc/apt/sources.list.d/docker.sources"].splitlines()
    assert f"URIs: https://download.docker.com/{lines[0]}" in source
    assert f"Suites: {lines[1]}" in source
    assert f"Architectures: {lines[2]}" in source
    assert "Signed-By: /etc/apt/keyrings/docker.asc" in source
    assert files["/etc/apt/keyrings/docker.asc"].startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")


@pytest.mark.parametrize(("distribution", "path"), [("rhel", "rhel"), ("rocky", "centos")])
def test_dnf_is_told_the_repository_of_the_major_version(
    make_node: MakeNode, distribution: str, path: str
) -> None:
    node = make_node(distribution=distribution, version="9.6", codename="", family="rhel")
    files = {item.path: item.content for item in repository(node, DOCKER) if isinstance(item, File)}
    repo = files["/etc/yum.repos.d/docker-ce.repo"].splitlines()
    assert f"baseurl=https://download.docker.com/linux/{path}/9/$basearch/stable" in repo
    assert "gpgcheck=1" in repo
    assert "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-docker" in repo


def test_a_site_without_internet_names_its_mirror(make_node: MakeNode) -> None:
    settings = ContainersSettings(source="docker", repository_url="http://mirror.example.org/d/")
    files = [item for item in repository(make_node(), settings) if isinstance(item, File)]
    assert any("URIs: http://mirror.example.org/d/debian\n" in item.content for item in files)
    assert not any("download.docker.com" in item.content for item in files)


def test_the_distributions_engine_leaves_no_repository_behind(make_node: MakeNode) -> None:
    assert {item.path for item in repository(make_node(), ContainersSettings())} == {
        "/etc/apt/sources.list.d/docker.sources",
        "/etc/apt/keyrings/docker.asc",
    }
    assert all(isinstance(item, Absent) for item in repository(make_node(), ContainersSettings()))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"distribution": "rhel", "version": "9.6", "family": "rhel"}, 'set source="docker"'),
        ({"distribution": "arch", "version": "", "family": "unknown"}, "arch"),
        ({"architecture": "riscv64"}, "riscv64"),
    ],
)
def test_a_system_without_such_an_engine_is_refused_by_name(
    make_node: MakeNode, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(NodeRefused, match=said):
        packages(make_node(**changes), ContainersSettings())
