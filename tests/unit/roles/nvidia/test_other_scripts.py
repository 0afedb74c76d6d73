"""The RHEL family's change and NVIDIA's installer, over stand-ins; neither was run for real yet."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from roles.nvidia import scripts
from roles.nvidia.settings import NvidiaSettings, RunFile
from roles.nvidia.work import work
from tests.unit.roles.nvidia.stand_ins import Node
from tests.unit.roles.nvidia.states import BARE, DEBIAN_12, H100, KERNEL, ROCKY, chosen, gpus, state

DNF = """\
case "$*" in
    *"module list"*) echo "nvidia-driver 570-open [e] default" ;;
    *repoquery*) echo "$FOUND" ;;
    *tsflags=test*) [ -z "$UNSOLVABLE" ] || { echo "Error: nothing provides x"; exit 1; } ;;
    *download*) mkdir -p "$4" && : >"$4/kmod.rpm" ;;
esac
"""
CPIO = "mkdir -p usr/src/nvidia-580.105.08 && : >usr/src/nvidia-580.105.08/dkms.conf\n"
INSTALLER = """\
#!/bin/sh
echo "installer $*" >>"$CALLS"
[ "$1" = --extract-only ] || exit 0
mkdir -p "$3/kernel-open"
printf 'NVIDIA\\n580.105.08\\n' >"$3/.manifest"
"""


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def planned(name: str, settings: NvidiaSettings, system: Any = ROCKY) -> str:
    there = state(BARE)
    choice = chosen(settings, devices=gpus(H100), node=system, found=there)
    command: str = getattr(scripts, name)(choice, there, settings, work(choice, there, settings))
    return command


@pytest.fixture
def rocky(node: Node) -> Node:
    for name, body in (("dnf", DNF), ("rpm2cpio", ""), ("cpio", CPIO), ("rpm", "")):
        node.add(name, body)
    node.answers = {"FOUND": "580.105.08"}
    return node


def test_rhels_driver_is_tried_from_its_module_stream(rocky: Node) -> None:
    said = rocky.run(planned("trial", NvidiaSettings(branch=580)))
    assert said.returncode == 0, said.stderr
    assert f"dnf -y install dkms kernel-devel-matched kernel-devel-{KERNEL}" in rocky.calls
    assert "dnf -q -y module enable nvidia-driver:580-open" in rocky.calls
    (tried,) = (call for call in rocky.calls if "tsflags=test" in call)
    assert "kmod-nvidia-open-dkms-580.105.08" in tried
    assert "nvidia-driver-cuda-580.105.08" in tried
    assert [call for call in rocky.calls if call.startswith("dkms build")]
    assert rocky.leftovers == []


def test_a_failed_trial_puts_the_module_stream_back(rocky: Node) -> None:
    rocky.answers |= {"UNSOLVABLE": "yes"}
    failed = rocky.run(planned("trial", NvidiaSettings(branch=580)))
    assert failed.returncode == 1
    assert "Error: nothing provides x" in failed.stderr
    assert rocky.calls[-1] == "dnf -q -y module enable nvidia-driver:570-open"


def test_a_version_that_is_nowhere_puts_the_module_stream_back(rocky: Node) -> None:
    rocky.answers = {}
    failed = rocky.run(planned("trial", NvidiaSettings(branch=580)))
    assert failed.returncode == 1
    assert "there is no kmod-nvidia-open-dkms of version 580." in failed.stderr
    assert rocky.calls[-1] == "dnf -q -y module enable nvidia-driver:570-open"


def test_locks_on_the_driver_in_place_do_not_keep_a_new_one_out(rocky: Node) -> None:
    for name in ("trial", "replace"):
        assert rocky.run(planned(name, NvidiaSettings(branch=580))).returncode == 0
    seeking = [call for call in rocky.calls if "nvidia-open-dkms-" in call]
    assert len(seeking) == 5
    assert all("--disableplugin=versionlock" in call for call in seeking)
    assert rocky.calls[-2].startswith("dnf -q -y versionlock delete kmod-nvidia-open-dkms ")


def test_rhels_driver_is_locked(rocky: Node) -> None:
    done = rocky.run(planned("replace", NvidiaSettings(branch=580)))
    assert done.returncode == 0, done.stderr
    assert rocky.calls[-1].startswith("dnf -y versionlock add kmod-nvidia-open-dkms ")


def installer(node: Node, sha256: str | None = None) -> NvidiaSettings:
    file = node.folder / "NVIDIA.run"
    file.write_text(INSTALLER)
    digest = sha256 or hashlib.sha256(file.read_bytes()).hexdigest()
    runfile = RunFile(url=file.as_uri(), sha256=digest)
    return NvidiaSettings(source="runfile", version="580.105.08", runfile=runfile)


def run(node: Node, name: str, settings: NvidiaSettings) -> Any:
    node.add("make", "")
    command = planned(name, settings, system=DEBIAN_12)
    return node.run(command.replace("/var/cache/flightline", str(node.folder / "cache")))


def test_the_installers_modules_are_built_first(node: Node) -> None:
    said = run(node, "trial", installer(node))
    assert said.returncode == 0, said.stderr
    (built,) = (call for call in node.calls if call.startswith("make ") and " modules " in call)
    assert "/kernel-open " in built
    assert f"KERNEL_UNAME={KERNEL}" in built
    assert not [call for call in node.calls if "--silent" in call]


def test_an_installer_with_another_digest_is_not_run(node: Node) -> None:
    said = run(node, "trial", installer(node, sha256="0" * 64))
    assert said.returncode == 1
    assert f"expected {'0' * 64} (NvidiaSettings.runfile)" in said.stderr
    assert not [call for call in node.calls if call.startswith("installer")]


def test_an_installer_of_another_version_is_refused(node: Node) -> None:
    settings = installer(node).model_copy(update={"version": "580.95.05"})
    said = run(node, "trial", settings)
    assert said.returncode == 1
    assert "not of version 580.95.05" in said.stderr


def test_the_installer_is_told_the_flavour(node: Node) -> None:
    done = run(node, "replace", installer(node))
    assert done.returncode == 0, done.stderr
    assert "installer --silent --dkms --kernel-module-type=open" in node.calls
