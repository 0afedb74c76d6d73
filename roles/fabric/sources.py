"""Which packages make the RDMA stack on which distribution, and DOCA's repository."""

from __future__ import annotations

from flightline import project
from flightline.errors import NodeRefused
from flightline.facts.node import NodeFacts
from flightline.operations.bundle import Absent, Directory, File, Item
from flightline.templates import render
from roles.fabric import wanted
from roles.fabric.settings import DocaSettings, FabricSettings

SOURCES = "/etc/apt/sources.list.d/doca.sources"
KEYRING = "/etc/apt/keyrings/doca.asc"
DKMS_PIN = "/etc/apt/preferences.d/doca-dkms"
_RPM_REPO = "/etc/yum.repos.d/doca.repo"
_RPM_KEY = "/etc/pki/rpm-gpg/RPM-GPG-KEY-doca"


def packages(settings: FabricSettings, node: NodeFacts) -> tuple[str, ...]:
    """Return what is installed; raises NodeRefused on a system that this role does not know."""
    if node.family not in ("debian", "rhel"):
        raise NodeRefused(
            f"{node.distribution} {node.version} is not a system this role knows; expected Debian, "
            "Ubuntu or the RHEL family."
        )
    return wanted.packages(settings, node.family)


def repository(settings: FabricSettings, node: NodeFacts) -> tuple[Item, ...]:
    """Return the files that make DOCA's repository known, or absent where it is not used.

    Raises NodeRefused where its public key is not in the project.
    """
    if node.family == "rhel":
        return _rpm(settings.doca)
    if settings.doca is None:
        return (Absent(SOURCES), Absent(KEYRING), Absent(DKMS_PIN))
    url = settings.doca.repository_url
    return (
        Directory("/etc/apt/keyrings"),
        File(KEYRING, _key(settings.doca)),
        File(
            SOURCES, render("fabric/etc/apt/sources.list.d/doca.sources.j2", url=url, key=KEYRING)
        ),
        File(DKMS_PIN, render("fabric/etc/apt/preferences.d/doca-dkms.j2")),
    )


def _rpm(doca: DocaSettings | None) -> tuple[Item, ...]:
    if doca is None:
        return (Absent(_RPM_REPO), Absent(_RPM_KEY))
    source = render("fabric/etc/yum.repos.d/doca.repo.j2", url=doca.repository_url, key=_RPM_KEY)
    return (File(_RPM_KEY, _key(doca)), File(_RPM_REPO, source))


def _key(doca: DocaSettings) -> str:
    path = project.root() / doca.key_file
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise NodeRefused(
            f"{path} is not there or not an armoured key; put the public key of "
            f"{doca.repository_url} there (DocaSettings.key_file)."
        ) from None
    if "-----BEGIN PGP PUBLIC KEY BLOCK-----" not in text:
        raise NodeRefused(f"{path} holds no armoured PGP public key (DocaSettings.key_file).")
    return text
