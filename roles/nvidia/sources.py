"""Where the driver's packages come from, and whom they must be signed by.

NVIDIA's repository is trusted by fingerprint: apt takes the key file that lies beside the packages,
and accepts a signature only of the key with the fingerprint written here (sources.list(5),
Signed-By). dnf knows no such thing: there the key file's digest is compared on the node.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from flightline.errors import NodeRefused
from flightline.facts.node import NodeFacts
from flightline.operations.bundle import Absent, File, Item
from flightline.templates import render
from roles.nvidia.apt_sources import lacking
from roles.nvidia.choice import Choice, repository_path
from roles.nvidia.facts import DriverState
from roles.nvidia.settings import NvidiaSettings

NON_FREE = "/etc/apt/sources.list.d/flightline-non-free.sources"
NVIDIA = "/etc/apt/sources.list.d/flightline-nvidia.sources"
PREFERENCES = "/etc/apt/preferences.d/flightline-nvidia.pref"
BLACKLIST = "/etc/apt/apt.conf.d/53flightline-nvidia"
KEY = "/etc/apt/keyrings/flightline-nvidia.asc"
RPM_REPO = "/etc/yum.repos.d/flightline-nvidia.repo"
SOURCE_FILES = (NON_FREE, NVIDIA, PREFERENCES, BLACKLIST, RPM_REPO)
"""What `source_items` writes; their names differ."""

RPM_KEY = "/etc/pki/rpm-gpg/RPM-GPG-KEY-NVIDIA-flightline"


@dataclass(frozen=True)
class SigningKey:
    """The key of one of NVIDIA's repositories."""

    file: str
    """Its name beside the packages."""
    fingerprint: str
    sha256: str = ""
    """Digest of the file without its Version line, as NVIDIA's own images compare it."""


# developer.nvidia.com/blog/updating-the-cuda-linux-gpg-repository-key and the key files' own names;
# fingerprints compared in three independent public repositories each, 2026-11-21.
_SHARED = SigningKey("3bf863cc.pub", "EB693B3035CD5710E231E123A4B469963BF863CC")
_DEBIAN_13 = SigningKey("8793F200.pub", "02182E60104FCDC26EAE1B8597A5D4CB8793F200")
# NVIDIA_GPGKEY_SUM of NVIDIA's CUDA images for RHEL 7, 8 and 9, read 2026-11-21.
_RHEL = SigningKey(
    "D42D0685.pub", "", "d0664fbbdb8c32356d45de36c5984617217b2d0bef41b93ccecd326ba3b80c87"
)

KEYS = {
    ("debian", "12"): _SHARED,
    ("debian", "13"): _DEBIAN_13,
    ("ubuntu", "22.04"): _SHARED,
    ("ubuntu", "24.04"): _SHARED,
}


def signing_key(node: NodeFacts) -> SigningKey:
    """Return the key of NVIDIA's repository for this system; raises NodeRefused without one."""
    if node.family == "rhel" and node.version.split(".")[0] == "9":
        return _RHEL
    key = KEYS.get((node.distribution, node.version))
    if key is None:
        raise NodeRefused(
            f"no signing key of NVIDIA's repository is known for {node.distribution} "
            f'{node.version}; set NvidiaSettings.source="distribution" or "runfile".'
        )
    return key


def source_items(
    node: NodeFacts, settings: NvidiaSettings, choice: Choice, state: DriverState
) -> tuple[Item, ...]:
    """Return the files that make the packages known and keep their versions together."""
    if node.family == "rhel":
        return (_rpm_repository(node, settings),)
    return (
        _non_free(node, settings, state),
        *_nvidia(node, settings, choice),
        _blacklist(settings),
    )


def key_command(node: NodeFacts, settings: NvidiaSettings) -> str:
    """Return the command that has the key file on the node; a wrong file is refused there."""
    key = signing_key(node)
    address = f"{settings.repository_url}/{repository_path(node)}/{key.file}"
    url = shlex.quote(address)
    if node.family != "rhel":
        fetch = f"/usr/lib/apt/apt-helper download-file {url} {KEY}.new"
        return (
            f"[ -s {KEY} ] || {{ mkdir -p /etc/apt/keyrings && {fetch} >&2 && "
            f"chmod 644 {KEY}.new && mv {KEY}.new {KEY}; }}"
        )
    compare = f"echo '{key.sha256}  {RPM_KEY}.new' | sha256sum -c --status"
    told = (
        f"{address} is not the key that NVIDIA publishes (sha256 {key.sha256}); nothing was changed"
    )
    wrong = shlex.quote(told)
    return (
        f"[ -s {RPM_KEY} ] || {{ curl -fsSL {url} | sed /^Version/d >{RPM_KEY}.new && "
        f"{{ {compare} || {{ rm -f {RPM_KEY}.new; echo {wrong} >&2; false; }}; }} && "
        f"mv {RPM_KEY}.new {RPM_KEY}; }}"
    )


def _non_free(node: NodeFacts, settings: NvidiaSettings, state: DriverState) -> Item:
    if node.distribution != "debian" or settings.source != "distribution":
        return Absent(NON_FREE)
    sources = lacking(state.sources, node.codename, NON_FREE)
    if not sources:
        return Absent(NON_FREE)
    return File(
        NON_FREE, _template("apt/sources.list.d/flightline-non-free.sources", sources=sources)
    )


def _nvidia(node: NodeFacts, settings: NvidiaSettings, choice: Choice) -> tuple[Item, ...]:
    if settings.source != "nvidia":
        return (Absent(NVIDIA), Absent(PREFERENCES))
    source = _template(
        "apt/sources.list.d/flightline-nvidia.sources",
        url=f"{settings.repository_url}/{repository_path(node)}/",
        key=KEY,
        fingerprint=signing_key(node).fingerprint,
    )
    pin = choice.version or f"{choice.branch}."
    preferences = _template("apt/preferences.d/flightline-nvidia.pref", prefix=pin)
    return (File(NVIDIA, source), File(PREFERENCES, preferences))


def _blacklist(settings: NvidiaSettings) -> Item:
    if not settings.hold_packages:
        return Absent(BLACKLIST)
    return File(BLACKLIST, _template("apt/apt.conf.d/53flightline-nvidia"))


def _rpm_repository(node: NodeFacts, settings: NvidiaSettings) -> Item:
    if settings.source != "nvidia":
        return Absent(RPM_REPO)
    url = f"{settings.repository_url}/{repository_path(node)}"
    return File(RPM_REPO, _template("yum.repos.d/flightline-nvidia.repo", url=url, key=RPM_KEY))


def _template(path: str, **values: object) -> str:
    return render(f"nvidia/etc/{path}.j2", **values)
