"""Which programs of this computer the lab needs, and the Debian package that brings each."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from flightline.errors import FlightlineError

# program or file → package (names as in Debian 12 and 13 and Ubuntu 24.04)
TO_RUN = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
TO_BUILD = {
    "mmdebstrap": "mmdebstrap",
    "mkfs.ext4": "e2fsprogs",
    "sfdisk": "fdisk",
    "apt-config": "apt",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
TO_SERVE = {
    "docker-registry": "docker-registry",
    "nginx": "nginx",
    "skopeo": "skopeo",
    "umoci": "umoci",
}
TO_BUILD_WITHOUT_ROOT = {"newuidmap": "uidmap"}

# Debian keeps administrators' programs out of an ordinary user's PATH.
SEARCHED = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


def require(*groups: dict[str, str]) -> None:
    """Hold that every program of the groups is there, else name the packages in one sentence."""
    missing = missing_packages(*groups)
    if missing:
        packages = " ".join(missing)
        raise FlightlineError(
            "this computer lacks programs that the lab needs; "
            f"install them with `apt-get install {packages}`."
        )


def to_build() -> tuple[dict[str, str], ...]:
    """Return the groups that building an image takes: one more where the user is not root."""
    return (TO_BUILD,) if os.geteuid() == 0 else (TO_BUILD, TO_BUILD_WITHOUT_ROOT)


def missing_packages(*groups: dict[str, str]) -> list[str]:
    """Return the packages, sorted, whose program or file is not on this computer."""
    wanted = {name: package for group in groups for name, package in group.items()}
    return sorted({package for name, package in wanted.items() if not _is_there(name)})


def _is_there(name: str) -> bool:
    if name.startswith("/"):
        return Path(name).exists()
    return shutil.which(name, path=SEARCHED) is not None
