"""A light node is a bare Debian server of its own, and leaves nothing on this computer."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import Lab

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("driver")]

NAMES = ("light-1", "light-2")
BOOT_SECONDS = 60


@pytest.fixture(scope="module")
def two(light_lab: Lab) -> Lab:
    """Give a lab with two fresh bookworm light nodes."""
    for verb in (("up", "--light", "--nodes", "2"), ("reset", *NAMES)):
        done = light_lab.run(*verb)
        assert done.returncode == 0, done.stderr
    return light_lab


def says(lab: Lab, name: str, command: str) -> str:
    """Return what a command prints on a node."""
    done = lab.run("ssh", name, "--", command, seconds=120)
    assert done.returncode == 0, f"{name}: {command}: {done.stderr}"
    return done.stdout.strip()


def status_of(lab: Lab, name: str) -> dict[str, Any]:
    """Return a node's entry in `lab status`."""
    return next(entry for entry in lab.status() if entry["name"] == name)


def groups(pid: int) -> list[Path]:
    """Return the cgroups that a light node's supervisor made."""
    return [*Path("/sys/fs/cgroup").glob(f"*/flightline-light-{pid}")]


@pytest.mark.parametrize("own", ["hostname", "cat /etc/machine-id", "cat /etc/ssh/*_key.pub"])
def test_light_nodes_are_servers_of_their_own(two: Lab, own: str) -> None:
    assert says(two, NAMES[0], own) != says(two, NAMES[1], own)


def test_a_light_node_is_a_bare_server_run_by_systemd(two: Lab) -> None:
    assert says(two, NAMES[0], "systemctl is-system-running --wait") == "running"
    assert says(two, NAMES[0], "sudo cat /proc/1/comm") == "systemd"
    assert says(two, NAMES[0], "command -v python3 dkms docker || echo none") == "none"
    kernel = says(two, NAMES[0], "ls /lib/modules")
    assert says(two, NAMES[0], f"ls /boot/vmlinuz-{kernel}")


def test_apt_installs_from_the_mirror_on_two_nodes_at_once(two: Lab) -> None:
    for name in NAMES:
        says(two, name, "sudo apt-get update -q && sudo apt-get install -yq hello && hello")


def test_a_light_node_cannot_touch_this_computers_kernel(two: Lab) -> None:
    before = Path("/proc/sys/vm/swappiness").read_text()
    done = two.run("ssh", NAMES[0], "--", "sudo sysctl -w vm.swappiness=33", seconds=120)
    assert done.returncode != 0
    assert Path("/proc/sys/vm/swappiness").read_text() == before


def test_it_comes_back_from_a_reboot(two: Lab) -> None:
    before = says(two, NAMES[1], "cat /etc/machine-id; sudo touch /kept; stat -c %Y /run/systemd")
    two.run("ssh", NAMES[1], "--", "sudo systemctl reboot", seconds=60)
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        time.sleep(1)
        now = two.run("ssh", NAMES[1], "--", "cat /etc/machine-id; stat -c %Y /run/systemd")
        if now.returncode == 0 and now.stdout.strip() != before:
            break
    assert now.stdout.split()[0] == before.split()[0]
    assert says(two, NAMES[1], "ls /kept") == "/kept"


def test_a_reset_light_node_is_pristine_under_the_same_name_and_key(two: Lab) -> None:
    key = says(two, NAMES[1], "sudo touch /left; cat /etc/ssh/*_key.pub")
    done = two.run("reset", NAMES[1])
    assert done.returncode == 0, done.stderr
    assert says(two, NAMES[1], "ls /left 2>/dev/null || cat /etc/ssh/*_key.pub") == key


def test_one_whose_supervisor_was_killed_is_started_anew_without_a_trace(two: Lab) -> None:
    old = status_of(two, NAMES[0])["pid"]
    os.kill(old, signal.SIGKILL)
    done = two.run("up", "--light", "--nodes", "2")
    assert done.returncode == 0, done.stderr
    assert says(two, NAMES[0], "hostname") == NAMES[0]
    assert not groups(old)


def test_light_nodes_mount_nothing_on_this_computer_and_go_without_a_trace(two: Lab) -> None:
    pids = [entry["pid"] for entry in two.status()]
    assert str(two.state) not in Path("/proc/self/mountinfo").read_text()
    assert two.run("down", seconds=120).returncode == 0
    assert not [group for pid in pids for group in groups(pid)]
    assert not [*(two.state / "light").iterdir()]
    left = subprocess.run(["pgrep", "-af", str(two.state)], capture_output=True, check=False)
    assert left.stdout == b""
