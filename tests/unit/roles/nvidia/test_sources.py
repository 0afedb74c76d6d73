"""Packages come from where they are declared to, and only with the signature that is expected."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flightline.errors import NodeRefused
from flightline.operations.bundle import Absent, File
from roles.nvidia import sources
from roles.nvidia.apt_sources import AptSource, lacking
from roles.nvidia.settings import NvidiaSettings
from roles.nvidia.sources import key_command, signing_key, source_items
from tests.unit.roles.nvidia.states import (
    BARE,
    DEBIAN_12,
    DEBIAN_13,
    H100,
    OWN,
    ROCKY,
    UBUNTU,
    chosen,
    gpus,
    state,
)

NVIDIA = NvidiaSettings(branch=580)
MIRROR = "http://mirror.example.org/debian"


def files(settings: NvidiaSettings, node: Any = DEBIAN_12) -> dict[str, str | None]:
    found = state(BARE)
    choice = chosen(settings, devices=gpus(H100), node=node, found=found)
    return {
        item.path: item.content if isinstance(item, File) else None
        for item in source_items(node, settings, choice, found)
        if isinstance(item, File | Absent)
    }


def lines(text: str, file: str = "/etc/apt/sources.list") -> tuple[tuple[str, str], ...]:
    return tuple((file, line) for line in text.splitlines())


def test_debians_components_are_added_from_the_nodes_own_mirror() -> None:
    text = files(OWN)[sources.NON_FREE]
    assert text
    assert text.splitlines()[2:] == [
        "Types: deb",
        f"URIs: {MIRROR}",
        "Suites: bookworm bookworm-updates",
        "Components: contrib non-free non-free-firmware",
        "Signed-By: /usr/share/keyrings/debian.gpg",
    ]


def test_nothing_is_added_where_the_node_has_the_components() -> None:
    have = f"deb [arch=amd64] {MIRROR} bookworm main contrib non-free non-free-firmware # all"
    assert lacking(lines(have), "bookworm", sources.NON_FREE) == ()


def test_our_own_file_does_not_count_as_the_nodes() -> None:
    own = f"Types: deb\nURIs: {MIRROR}\nSuites: bookworm\nComponents: contrib non-free"
    given = (*lines(f"deb {MIRROR} bookworm main"), *lines(own, sources.NON_FREE))
    assert lacking(given, "bookworm", sources.NON_FREE)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            f"deb [signed-by=/k.gpg arch=amd64] {MIRROR} bookworm main contrib",
            AptSource(
                MIRROR,
                ("bookworm",),
                ("non-free", "non-free-firmware"),
                (("Signed-By", "/k.gpg"), ("Architectures", "amd64")),
            ),
        ),
        (f"deb-src {MIRROR} bookworm main", None),
        (f"# deb {MIRROR} bookworm main", None),
        (f"deb {MIRROR} bookworm-backports main", None),
        (f"deb {MIRROR} sid main", None),
        ("deb https://other.example.org/ ./", None),
        ("deb [", None),
    ],
)
def test_one_line_sources_are_read(line: str, expected: AptSource | None) -> None:
    found = lacking(lines(line), "bookworm", sources.NON_FREE)
    assert found == ((expected,) if expected else ())


def test_a_disabled_stanza_is_no_source() -> None:
    text = f"Enabled: no\nTypes: deb\nURIs: {MIRROR}\nSuites: bookworm\nComponents: main"
    assert lacking(lines(text, "/etc/apt/sources.list.d/a.sources"), "bookworm", "x") == ()


def test_a_stanza_may_fold_its_lines() -> None:
    text = f"Types: deb\nURIs: {MIRROR}\nSuites:\n bookworm\n bookworm-updates\nComponents: main"
    (found,) = lacking(lines(text, "/etc/apt/sources.list.d/a.sources"), "bookworm", "x")
    assert found.suites == ("bookworm", "bookworm-updates")


@pytest.mark.parametrize(
    ("node", "folder", "fingerprint"),
    [
        (DEBIAN_12, "debian12", "EB693B3035CD5710E231E123A4B469963BF863CC"),
        (DEBIAN_13, "debian13", "02182E60104FCDC26EAE1B8597A5D4CB8793F200"),
        (UBUNTU, "ubuntu2404", "EB693B3035CD5710E231E123A4B469963BF863CC"),
    ],
)
def test_nvidias_repository_is_trusted_by_one_fingerprint(
    node: Any, folder: str, fingerprint: str
) -> None:
    found = files(NVIDIA, node)
    text = found[sources.NVIDIA]
    assert text
    base = "https://developer.download.nvidia.com/compute/cuda/repos"
    assert f"URIs: {base}/{folder}/x86_64/" in text.splitlines()
    assert f"Signed-By: {sources.KEY} {fingerprint}" in text.splitlines()
    assert found[sources.NON_FREE] is None


def test_a_site_without_internet_names_its_mirror() -> None:
    settings = NVIDIA.model_copy(update={"repository_url": "http://mirror.example.org/nvidia"})
    found = files(settings)[sources.NVIDIA]
    assert found
    assert "URIs: http://mirror.example.org/nvidia/debian12/x86_64/\n" in found
    assert "http://mirror.example.org/nvidia/debian12/x86_64/3bf863cc.pub" in key_command(
        DEBIAN_12, settings
    )


@pytest.mark.parametrize(
    ("changes", "pin"), [({}, "580."), ({"version": "580.105.08"}, "580.105.08")]
)
def test_the_set_is_pinned_to_its_branch_or_version(changes: dict[str, str], pin: str) -> None:
    text = files(NVIDIA.model_copy(update=changes))[sources.PREFERENCES]
    assert text
    assert f"Pin: version {pin}*" in text.splitlines()


def test_unattended_upgrades_are_told_to_keep_off_unless_nothing_is_held() -> None:
    assert files(OWN)[sources.BLACKLIST]
    free = OWN.model_copy(update={"hold_packages": False})
    assert files(free)[sources.BLACKLIST] is None


def test_the_distributions_driver_leaves_no_repository_behind() -> None:
    found = files(OWN)
    assert found[sources.NVIDIA] is None
    assert found[sources.PREFERENCES] is None


def test_dnf_takes_the_key_only_with_nvidias_digest(tmp_path: Path) -> None:
    """The command itself, with a key that somebody exchanged."""
    url = (tmp_path / "repo").as_uri()
    folder = tmp_path / "repo" / "rhel9" / "x86_64"
    folder.mkdir(parents=True)
    (folder / "D42D0685.pub").write_text("another key\n")
    settings = NVIDIA.model_copy(update={"repository_url": url})
    command = key_command(ROCKY, settings).replace(sources.RPM_KEY, str(tmp_path / "key"))
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed here")
    said = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "is not the key that NVIDIA publishes" in said.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["repo"]


def test_a_system_without_a_known_key_is_refused() -> None:
    with pytest.raises(NodeRefused, match=r"no signing key.*ubuntu 26\.04"):
        signing_key(replace(UBUNTU, version="26.04"))


@pytest.mark.parametrize("node", [DEBIAN_12, ROCKY], ids=["apt", "dnf"])
def test_nothing_of_a_mirrors_address_is_run(node: Any) -> None:
    settings = NvidiaSettings(repository_url="https://mirror.example.org/a?b=c&touch$(reboot)")
    words = shlex.split(key_command(node, settings).replace(";", " ; "))
    address = next(word for word in words if word.startswith("https://"))
    assert address.startswith(settings.repository_url)
