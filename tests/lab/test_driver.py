"""The NVIDIA driver built for real: DKMS makes Debian 12's; that 13's open one fails harms nothing.

On light nodes, at native speed: an emulated machine takes over ten times as long to build it.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

import pytest

from tests.lab.conftest import Lab
from tests.lab.hands import Done, typed

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("driver")]

NODES = {"bookworm": "light-1", "trixie": "light-trixie-1"}
# Debian 13's open modules, 550.163.01-2, do not build on its kernel 6.12.117; its proprietary ones
# do (2026-11-21).
FLAVOURS = {"light-1": "proprietary", "light-trixie-1": "open"}
BUILD_SECONDS = 2400  # 5 minutes on 2 nearly idle cores, 16 on crowded ones (2026-11-21)
# What Debian's package builds: the driver, its memory, its displays, its peers.
MODULES = tuple(f"nvidia-current{part}" for part in ("", "-uvm", "-modeset", "-drm", "-peermem"))
OF_THE_DRIVER = "'nvidia*' 'libnvidia*' 'libcuda*' 'firmware-nvidia*'"


@dataclass(frozen=True)
class LightNode:
    """A light node, asked by the lab's own ssh and worked on by plain pyinfra."""

    lab: Lab
    name: str

    def says(self, command: str) -> str:
        """Return what a command prints there, as root."""
        done = self.lab.run(
            "ssh", self.name, "--", f"sudo sh -c {shlex.quote(command)}", seconds=120
        )
        assert done.returncode == 0, f"{self.name}: {command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def converge(self, *arguments: str) -> Done:
        """Run the driver's deploy on it, as an operator does."""
        return typed(
            *("pyinfra", "-y", *arguments, "--data", f"kernel_modules={FLAVOURS[self.name]}"),
            *("inventories/lab.py", "tests/lab/driver_deploy.py"),
            nodes=self.name, seconds=BUILD_SECONDS, FLIGHTLINE_LAB_STATE=str(self.lab.state),
        )  # fmt: skip

    def packages(self) -> dict[str, str]:
        """Return the driver's packages that the node has or has traces of: name → state."""
        form = "${Package} ${db:Status-Status}\\n"
        listed = self.says(f"dpkg-query -W -f '{form}' {OF_THE_DRIVER} || true")
        pairs = (line.split(" ", 1) for line in listed.splitlines())
        return {name: status for name, status in pairs if status != "not-installed"}


def node_on(lab: Lab, suite: str) -> LightNode:
    """Return the suite's first light node, fresh."""
    for verb in (("up", "--light", "--suite", suite, "--nodes", "1"), ("reset", NODES[suite])):
        done = lab.run(*verb)
        assert done.returncode == 0, done.stderr
    return LightNode(lab, NODES[suite])


@pytest.fixture(scope="module")
def built(light_lab: Lab) -> tuple[LightNode, Done]:
    """A Debian 12 node after its first converge."""
    node = node_on(light_lab, "bookworm")
    return node, node.converge()


@pytest.fixture(scope="module")
def refused(light_lab: Lab) -> tuple[LightNode, Done]:
    """A Debian 13 node after its first converge."""
    node = node_on(light_lab, "trixie")
    return node, node.converge()


def test_the_driver_is_built_for_every_installed_kernel(built: tuple[LightNode, Done]) -> None:
    node, done = built
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    packaged = node.says("dpkg-query -W -f '${Version}' nvidia-kernel-dkms").split("-")[0]
    kernels = node.says("ls /lib/modules").split()
    assert kernels
    for kernel in kernels:
        for module in MODULES:
            assert node.says(f"modinfo -k {kernel} -F version {module}") == packaged, module
        assert node.says(f"modinfo -k {kernel} -F license {MODULES[0]}") == "NVIDIA"


def test_it_is_installed_whole_and_held_together(built: tuple[LightNode, Done]) -> None:
    node, _ = built
    assert node.says("dpkg --audit") == ""
    packages = node.packages()
    assert {"nvidia-kernel-dkms", "nvidia-smi", "libcuda1", "nvidia-persistenced"} <= set(packages)
    assert set(packages.values()) == {"installed"}
    held = set(node.says("apt-mark showhold").split())
    assert {"nvidia-kernel-dkms", "nvidia-smi", "libcuda1"} <= held


def test_a_second_converge_changes_nothing(built: tuple[LightNode, Done]) -> None:
    done = built[0].converge("--json")
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads(done.stdout)["results"]
    changed = [each["name"] for each in results["operations"] if each["success"]]
    assert not changed, done.stderr[-3000:]


def test_a_driver_that_does_not_build_is_told_in_one_sentence(
    refused: tuple[LightNode, Done],
) -> None:
    node, done = refused
    said = done.stdout + done.stderr
    assert done.returncode == 1, said[-3000:]
    assert "Traceback" not in said
    (kernel,) = node.says("ls /lib/modules").split()
    told = [line for line in said.splitlines() if "does not build on kernel" in line]
    assert told, said[-3000:]
    for part in ("550.163.01", kernel, "error:"):
        assert part in told[0]


def test_it_leaves_the_node_as_it_was(refused: tuple[LightNode, Done]) -> None:
    node, _ = refused
    assert node.says("dpkg --audit") == ""
    assert node.packages() == {}
    assert node.says("ls /var/lib/dkms /var/tmp | grep -i nvidia || true") == ""
    assert node.says("find /lib/modules -path '*/updates/*nvidia*'") == ""


def test_a_second_converge_says_the_same(refused: tuple[LightNode, Done]) -> None:
    node, done = refused
    again = node.converge()
    assert again.returncode == 1
    assert sentence(again) == sentence(done)


def sentence(done: Done) -> str:
    """Return the line that says why the run ended."""
    lines = (done.stdout + done.stderr).splitlines()
    return next(line.strip() for line in lines if "does not build on kernel" in line)
