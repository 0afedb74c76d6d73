"""The commands of a change, run by a shell with stand-ins: the proof comes before the change."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from roles.nvidia import scripts
from roles.nvidia.choice import Choice
from roles.nvidia.facts import DriverState, Kernel
from roles.nvidia.settings import NvidiaSettings
from roles.nvidia.sources import SOURCE_FILES
from roles.nvidia.work import work
from tests.unit.roles.nvidia.stand_ins import Node
from tests.unit.roles.nvidia.states import BARE, H100, INSTALLED, KERNEL, chosen, gpus, state

SETTINGS = NvidiaSettings(branch=580, upgrade_allowed=True)
COMPLAINT = "nvidia/nv-pci.c:204:9: error: too few arguments to function 'pci_resize_resource'"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def planned(
    name: str, settings: NvidiaSettings = SETTINGS, found: DriverState | None = None
) -> str:
    there = found or state(BARE)
    choice: Choice = chosen(settings, devices=gpus(H100), found=there)
    command: str = getattr(scripts, name)(choice, there, settings, work(choice, there, settings))
    return command


def test_the_trial_installs_compiler_and_headers_and_nothing_of_the_driver(node: Node) -> None:
    said = node.run(planned("trial"))
    assert said.returncode == 0, said.stderr
    harmless = (" -s ", " --download-only ")
    installs = [
        call
        for call in node.calls
        if " install " in call and not any(word in call for word in harmless)
    ]
    assert len(installs) == 1
    assert installs[0].endswith(f"dkms linux-headers-{KERNEL} linux-headers-amd64")
    assert not [call for call in node.calls if call.startswith("apt-mark")]
    assert node.leftovers == []


def test_the_trial_builds_for_every_kernel_away_from_dkms_own_tree(node: Node) -> None:
    there = state(BARE)
    newer = Kernel("6.1.0-57-amd64", True, "", None)
    found = replace(there, kernels=(*there.kernels, newer))
    assert node.run(planned("trial", found=found)).returncode == 0
    builds = [call for call in node.calls if call.startswith("dkms build")]
    assert [call.split(" -k ")[1] for call in builds] == [KERNEL, "6.1.0-57-amd64"]
    assert all(re.search(r"--dkmstree \S*flightline-nvidia\.\w+/dkms", call) for call in builds)


def test_all_of_the_set_is_asked_for_in_the_branchs_newest_version(node: Node) -> None:
    node.run(planned("trial"))
    (simulated,) = (call for call in node.calls if " -s " in call)
    assert "nvidia-kernel-open-dkms=580.105.08*" in simulated
    assert "nvidia-driver-cuda=580.105.08*" in simulated
    assert " datacenter-gpu-manager-4-cuda13" in simulated
    assert "datacenter-gpu-manager-4-cuda13=" not in simulated  # DCGM counts for itself


def test_a_declared_version_is_the_only_one(node: Node) -> None:
    settings = SETTINGS.model_copy(update={"version": "580.95.05"})
    node.run(planned("trial", settings))
    (simulated,) = (call for call in node.calls if " -s " in call)
    assert set(re.findall(r"nvidia\S+=(\S+)", simulated)) == {"580.95.05*"}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (
            {"UNBUILDABLE": KERNEL, "COMPLAINT": COMPLAINT},
            f"the driver 580.105.08 does not build on kernel {KERNEL}: {COMPLAINT}",
        ),
        (
            {"UNSOLVABLE": "yes"},
            "the packages cannot be installed together: E: Unable to correct problems",
        ),
    ],
)
@pytest.mark.parametrize(
    ("text", "kept"), [(BARE, "no NVIDIA driver"), (INSTALLED, "driver 535.309.01, loaded")]
)
def test_a_failed_trial_says_why_and_what_the_node_keeps(
    node: Node, answers: dict[str, str], said: str, text: str, kept: str
) -> None:
    node.answers = answers
    failed = node.run(planned("trial", found=state(text)))
    assert failed.returncode == 1
    assert failed.stderr == f"{said}; the node keeps {kept}.\n"
    assert node.leftovers == []


def test_a_branch_that_the_repository_lacks_is_named_with_what_it_has(node: Node) -> None:
    failed = node.run(planned("trial", NvidiaSettings(branch=595)))
    assert failed.returncode == 1
    assert "there is no nvidia-kernel-open-dkms of version 595.*" in failed.stderr
    assert "580.105.08-1" in failed.stderr


def test_a_repository_that_is_not_trusted_is_the_reason_given(node: Node) -> None:
    node.answers = {"UNTRUSTED": "yes"}
    failed = node.run(planned("trial"))
    assert failed.returncode == 1
    assert "they have none; W: No good signature from required signer" in failed.stderr


def test_the_replacement_installs_builds_and_holds_in_that_order(node: Node) -> None:
    done = node.run(planned("replace"))
    assert done.returncode == 0, done.stderr
    verbs = [" ".join(call.split()[:2]) for call in node.calls if "cache" not in call]
    assert [verb for verb in verbs if not verb.startswith("apt-get")] == [
        "dkms autoinstall",
        "apt-mark hold",
    ]
    assert "install" in node.calls[1]
    assert "nvidia-kernel-open-dkms" in node.calls[-1]


def test_nothing_is_held_where_that_is_not_wanted(node: Node) -> None:
    node.run(planned("replace", SETTINGS.model_copy(update={"hold_packages": False})))
    assert not [call for call in node.calls if call.startswith("apt-mark")]


def test_packages_that_cannot_stay_go_in_the_same_step(node: Node) -> None:
    there = state()
    found = replace(there, packages={**there.packages, "nvidia-dkms-535": "535.309.01-1"})
    node.run(planned("replace", found=found))
    (install,) = (call for call in node.calls if " install " in call)
    assert install.endswith(" nvidia-dkms-535-")


def test_an_unfinished_replacement_says_exactly_what_is_left(node: Node) -> None:
    node.answers = {"BROKEN": "yes"}
    failed = node.run(planned("replace"))
    assert failed.returncode == 1
    assert "unfinished packages: nvidia-kernel-open-dkms" in failed.stderr
    assert "dpkg --configure -a" in failed.stderr


def test_a_broken_off_replacement_starts_what_was_stopped_and_says_what_runs(node: Node) -> None:
    node.answers = {"BROKEN": "yes"}
    found = state(INSTALLED, units=("nvidia-persistenced.service",))
    drained = SETTINGS.model_copy(update={"drain_command": "true"})
    failed = node.run(planned("replace", drained, found))
    assert failed.stderr.rstrip().endswith(
        "the node had driver 535.309.01, loaded; now no driver is loaded; it is still drained."
    )
    assert "modprobe nvidia" in node.calls
    assert "systemctl start -- nvidia-persistenced.service" in node.calls


def test_a_refused_driver_leaves_the_sources_as_they_were(node: Node) -> None:
    sources = node.folder / "apt" / "sources.list.d"
    sources.mkdir()
    ours = sources / "flightline-nvidia.sources"
    ours.write_text("before")
    assert node.run(scripts.remember(SOURCE_FILES)).returncode == 0
    ours.write_text("after")
    (sources / "flightline-non-free.sources").write_text("new")
    node.answers = {"UNSOLVABLE": "yes"}
    assert node.run(planned("trial")).returncode == 1
    assert [(each.name, each.read_text()) for each in sources.iterdir()] == [(ours.name, "before")]
    assert not (node.folder / "lib" / "nvidia-sources").exists()


def test_a_driver_that_is_installed_keeps_its_sources(node: Node) -> None:
    assert node.run(scripts.remember(SOURCE_FILES)).returncode == 0
    assert node.run(planned("trial")).returncode == 0
    assert (node.folder / "lib" / "nvidia-sources" / "whole").exists()
    assert node.run(planned("replace")).returncode == 0
    assert not (node.folder / "lib" / "nvidia-sources").exists()


def test_our_services_stop_before_the_driver_is_unloaded(node: Node) -> None:
    found = state(INSTALLED, units=("nvidia-persistenced.service", "flightline-gpu.service"))
    done = node.run(scripts.out_of_use(found))
    assert done.returncode == 0, done.stderr
    assert node.calls[0] == "systemctl stop -- nvidia-persistenced.service flightline-gpu.service"


def test_a_drain_command_that_fails_ends_the_upgrade_with_a_sentence(node: Node) -> None:
    failed = node.run(scripts.drain("exit 3"))
    assert failed.returncode == 1
    assert "NvidiaSettings.drain_command failed: the driver was not replaced" in failed.stderr
    assert node.run(scripts.drain("true # why")).returncode == 0


def test_holds_are_the_package_managers_own() -> None:
    assert scripts.hold(("libcuda1", "nvidia-smi"), "debian") == "apt-mark hold libcuda1 nvidia-smi"
    assert "versionlock add nvidia-driver-cuda" in scripts.hold(("nvidia-driver-cuda",), "rhel")


@pytest.mark.parametrize("status", ["0", "77"])
def test_a_kernel_that_dkms_skips_is_not_taken_for_built(node: Node, status: str) -> None:
    """BUILD_EXCLUSIVE leaves out a real-time kernel, for one; dkms 3.2 exits with 77 then."""
    node.answers = {"SKIPS": status}
    failed = node.run(planned("trial"))
    assert failed.returncode == 1
    assert f"does not build on kernel {KERNEL}: Error! it should not be built" in failed.stderr
