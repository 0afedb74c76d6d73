"""The one question about the driver: the script's lines, and what they mean."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import roles.nvidia
from roles.nvidia.facts import Driver, GpuUser, Kernel, parse_driver
from tests.unit.roles.nvidia.states import BARE, INSTALLED, KERNEL


def test_a_driver_in_place_is_read() -> None:
    found = parse_driver(INSTALLED)
    assert found.loaded == found.packaged == found.on_disk == "535.309.01"
    assert found.loaded_flavour == found.packaged_flavour == "proprietary"
    assert found.kernels == (Kernel(KERNEL, True, "535.309.01", "proprietary"),)
    assert "nvidia-smi" in found.held
    assert found.units == ("nvidia-persistenced.service",)
    assert found.description == "driver 535.309.01, loaded"


def test_a_bare_node_has_no_driver() -> None:
    found = parse_driver(BARE)
    assert (found.loaded, found.packaged, found.on_disk, found.packaged_flavour) == (
        "",
        "",
        "",
        None,
    )
    assert found.description == "no NVIDIA driver"
    assert found.kernels == (Kernel(KERNEL, False, "", None),)
    assert len(found.sources) == 5


@pytest.mark.parametrize(
    ("line", "flavour"),
    [
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.105.08  Release Build",
            "open",
        ),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.309.01  Thu May", "proprietary"),
    ],
)
def test_the_loaded_flavour_is_in_the_modules_own_words(line: str, flavour: str) -> None:
    found = parse_driver(f"loaded=580.105.08\nloaded_as={line}\nend=yes")
    assert found.loaded_flavour == flavour


def test_removed_and_half_installed_packages_do_not_count() -> None:
    found = parse_driver(
        "package=rc  libcuda1 535.1-1\npackage=iF  nvidia-kernel-dkms 550.163.01-2\n"
        "package=un  nvidia-smi\nend=yes"
    )
    assert found.packages == {}


def test_dnfs_locks_are_holds() -> None:
    found = parse_driver(
        "package=ii nvidia-driver-cuda 3:580.105.08-1.el9\n"
        "lock=nvidia-driver-cuda-3:580.105.08-1.el9.*\n"
        "stream=580-open\nend=yes"
    )
    assert found.held == {"nvidia-driver-cuda"}
    assert found.stream == "580-open"


def test_who_uses_a_gpu_is_named_with_its_container() -> None:
    found = parse_driver("user=812|vllm|3f2a9c81d0aa\nuser=99|python3|\nend=yes")
    assert found.users == (GpuUser(812, "vllm", "3f2a9c81d0aa"), GpuUser(99, "python3", ""))
    assert str(found.users[0]) == "vllm (pid 812, container 3f2a9c81d0aa)"


def test_an_answer_that_is_cut_short_is_none() -> None:
    with pytest.raises(ValueError, match="cut short"):
        parse_driver(INSTALLED.replace("end=yes\n", ""))


def test_the_script_runs_here_and_ends() -> None:
    """On this computer, whatever it has: the question never fails."""
    said = subprocess.run(
        ["sh", "-c", Driver().command()], capture_output=True, text=True, check=True
    )
    assert said.stderr == ""
    assert parse_driver(said.stdout).loaded == ""


@pytest.mark.parametrize(
    "script", sorted(Path(roles.nvidia.__file__).parent.glob("*.sh")), ids=lambda path: path.name
)
def test_every_script_is_shell(script: Path) -> None:
    for shell in filter(shutil.which, ("dash", "bash")):
        subprocess.run([shell, "-n", str(script)], check=True)
