"""Which packages make the engine on which distribution, and whose repository they come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flightline.errors import FlightlineError, NodeRefused
from flightline.facts.node import NodeFacts
from flightline.operations.bundle import Absent, Directory, File, Item
from flightline.templates import render
from roles.containers.settings import ContainersSettings


@dataclass(frozen=True)
class SigningKey:
    """A public key that repositories are trusted by; kept in templates/, pinned by its digest."""

    template: str
    url: str
    fingerprint: str
    sha256: str

    def text(self) -> str:
        """Return the armoured key. Raises FlightlineError when it is not the pinned one."""
        text = render(self.template)
        found = hashlib.sha256(text.encode()).hexdigest()
        if found != self.sha256:
            raise FlightlineError(
                f"templates/{self.template} has sha256 {found}, expected {self.sha256}; fetch the "
                f"key {self.fingerprint} from {self.url} again."
            )
        return text


# Fetched and compared by fingerprint 2026-11-21; docs.docker.com/engine/install names the first.
DEB_KEY = SigningKey(
    template="containers/etc/apt/keyrings/docker.asc",
    url="https://download.docker.com/linux/debian/gpg",
    fingerprint="9DC858229FC7DD38854AE2D88D81803C0EBFCD88",
    sha256="1500c1f56fa9e26b9b8f42452a553675796ade0807cdce11975eb98170b3a570",
)
RPM_KEY = SigningKey(
    template="containers/etc/pki/rpm-gpg/RPM-GPG-KEY-docker",
    url="https://download.docker.com/linux/centos/gpg",
    fingerprint="060A61C51B558A7F742B77AAC52FEB6B621E9F35",
    sha256="e6c650e0700b1bf4868b693b30761b926844befc8a0acb7ac0dd9b1faf1b7423",
)

SOURCES_FILE = "/etc/apt/sources.list.d/docker.sources"
KEYRING_FILE = "/etc/apt/keyrings/docker.asc"
_RPM_REPO_FILE = "/etc/yum.repos.d/docker-ce.repo"
_RPM_KEY_FILE = "/etc/pki/rpm-gpg/RPM-GPG-KEY-docker"

_FROM_DOCKER = ("docker-ce", "docker-ce-cli", "containerd.io")
_DEB_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Packages:
    """What is installed, what must not be beside it, and what is held at its version."""

    present: tuple[str, ...]
    absent: tuple[str, ...]
    held: tuple[str, ...]


def packages(node: NodeFacts, settings: ContainersSettings) -> Packages:
    """Return the engine's packages on this node.

    Raises NodeRefused where the distribution has no Docker, or none that this role knows.
    """
    refuse_unknown(node, settings)
    present: tuple[str, ...]
    absent: tuple[str, ...]
    if node.family == "rhel":
        # podman may stay; podman-docker owns /usr/bin/docker, which docker-ce-cli brings.
        present, absent = _FROM_DOCKER, ("podman-docker",)
    elif settings.source == "docker":
        # The list to remove is Docker's own (docs.docker.com/engine/install/debian, 2026-11-20).
        present = (*_FROM_DOCKER, "apparmor", "ca-certificates", "iptables")
        absent = ("docker.io", "docker-cli", "podman-docker", "containerd", "runc")
    else:
        present = (*_from_distribution(node), "apparmor", "ca-certificates", "iptables")
        absent = (*_FROM_DOCKER, "podman-docker")
    engine = [name for name in present if name.startswith(("docker", "containerd", "runc"))]
    return Packages(present, absent, tuple(engine) if settings.hold_packages else ())


def repository(node: NodeFacts, settings: ContainersSettings) -> tuple[Item, ...]:
    """Return the files that make Docker's repository known, or absent where it is not used."""
    refuse_unknown(node, settings)
    if node.family == "rhel":
        path = "rhel" if node.distribution == "rhel" else "centos"
        source = render(
            "containers/etc/yum.repos.d/docker-ce.repo.j2",
            url=f"{settings.repository_url}/{path}/{node.version.split('.')[0]}",
            key=_RPM_KEY_FILE,
        )
        return (File(_RPM_KEY_FILE, RPM_KEY.text()), File(_RPM_REPO_FILE, source))
    if settings.source == "distribution":
        return (Absent(SOURCES_FILE), Absent(KEYRING_FILE))
    source = render(
        "containers/etc/apt/sources.list.d/docker.sources.j2",
        url=f"{settings.repository_url}/{node.distribution}",
        suite=node.codename,
        architecture=_DEB_ARCHITECTURES[node.architecture],
        key=KEYRING_FILE,
    )
    return (
        Directory("/etc/apt/keyrings"),
        File(KEYRING_FILE, DEB_KEY.text()),
        File(SOURCES_FILE, source),
    )


def refuse_unknown(node: NodeFacts, settings: ContainersSettings) -> None:
    """Raise NodeRefused, with the fix, where these settings cannot be met on this system."""
    if node.family not in ("debian", "rhel"):
        raise NodeRefused(
            f"{node.distribution} {node.version} is not a system this role knows; expected Debian, "
            "Ubuntu or the RHEL family."
        )
    if node.family == "rhel" and settings.source == "distribution":
        raise NodeRefused(
            f"{node.distribution} {node.version} has no Docker of its own "
            '(ContainersSettings.source is "distribution"); set source="docker" for its group.'
        )
    if node.family == "debian" and node.architecture not in _DEB_ARCHITECTURES:
        raise NodeRefused(
            f"there are no Docker packages for {node.architecture}; expected x86_64 or aarch64."
        )


def _from_distribution(node: NodeFacts) -> tuple[str, ...]:
    """Debian 13 split the client off; Debian 12 and Ubuntu carry it in docker.io."""
    split = node.distribution == "debian" and int(node.version.split(".")[0] or 0) >= 13
    return ("docker.io", "docker-cli", "containerd") if split else ("docker.io", "containerd")
