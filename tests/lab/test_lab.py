"""A lab node is a real, bare, separate machine, and a reset one is pristine."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.conftest import Lab, LabNode

pytestmark = pytest.mark.lab

# What no two nodes may share; the last shows that a clone's random numbers are its own.
OWN = (
    "hostname",
    "cat /etc/machine-id",
    "cat /sys/class/net/eth1/address",
    "cat /etc/ssh/ssh_host_ed25519_key.pub",
    "cat /proc/sys/kernel/random/uuid",
)
REBOOT_SECONDS = 600  # 27 s measured, emulated on idle cores (2026-11-20)
DROP_IN = 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX flightline.marker=1"'


def rebooted(node: LabNode) -> str:
    """Reboot the node from inside; return its new boot id."""
    before = node.output("cat /proc/sys/kernel/random/boot_id")
    with suppress(subprocess.TimeoutExpired):  # a machine that goes down may not hang up
        node.ssh("sudo systemctl reboot", 60)
    deadline = time.monotonic() + REBOOT_SECONDS
    while time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            now = node.ssh("cat /proc/sys/kernel/random/boot_id", 60).stdout.strip()
            if now not in ("", before):
                return now
        time.sleep(1)
    raise AssertionError(f"{node.name} did not come back within {REBOOT_SECONDS} s")


def test_nodes_are_separate_machines_on_one_network(two_nodes: tuple[LabNode, ...]) -> None:
    first, second = two_nodes
    for own in OWN:
        assert first.output(own) != second.output(own), own
    assert first.ssh("sudo ping -c 1 -W 20 10.88.0.12").returncode == 0


def test_a_node_is_a_bare_operating_system(two_nodes: tuple[LabNode, ...]) -> None:
    node = two_nodes[1]
    assert node.output("cat /proc/1/comm") == "systemd"
    assert node.output("systemctl is-system-running --wait") == "running"
    assert node.output("cat /proc/swaps | wc -l") == "1"
    assert node.ssh("sudo journalctl -n 1 -q | grep -q .").returncode == 0
    assert node.ssh("command -v docker chronyd python3").returncode != 0
    assert node.ssh("test -e /usr/sbin/policy-rc.d").returncode != 0
    assert 'APT::Install-Recommends "1";' in node.output("apt-config dump")
    assert node.ssh("find /lib/modules -name 'nouveau.ko*' | grep -q .").returncode == 0


def test_apt_reaches_the_mirror(two_nodes: tuple[LabNode, ...]) -> None:
    fetched = two_nodes[1].ssh("cd /tmp && sudo apt-get update -q && apt-get download hello", 600)
    assert fetched.returncode == 0, fetched.stderr


def test_nodes_that_run_are_left_alone(lab: Lab, two_nodes: tuple[LabNode, ...]) -> None:
    before = [(entry["name"], entry["pid"]) for entry in lab.status()]
    again = lab.run("up", "--nodes", str(len(two_nodes)))
    assert again.returncode == 0
    assert "run already" in again.stderr
    assert [(entry["name"], entry["pid"]) for entry in lab.status()] == before


def test_another_host_key_is_refused(two_nodes: tuple[LabNode, ...], tmp_path: Path) -> None:
    node = two_nodes[0]
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True
    )
    kind, key, *_ = (tmp_path / "key.pub").read_text().split()
    (tmp_path / "known").write_text(f"[127.0.0.1]:{node.port} {kind} {key}\n")
    refused = replace(node, known_hosts=tmp_path / "known").ssh("true")
    assert refused.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in refused.stderr


def test_a_node_reboots_as_itself_from_its_own_disk(lab_node: LabNode) -> None:
    own = "hostname; cat /etc/machine-id /sys/class/net/eth1/address; ip -4 -o addr show eth1"
    before = lab_node.output(own)
    lab_node.output(f"echo '{DROP_IN}' | sudo tee /etc/default/grub.d/marker.cfg")
    lab_node.output("sudo update-grub", 300)
    rebooted(lab_node)
    lab_node.output("systemctl is-system-running --wait || true", 300)
    assert lab_node.output(own) == before
    assert "flightline.marker=1" in lab_node.output("cat /proc/cmdline")


def test_a_reset_node_is_pristine_under_the_same_name_port_and_key(
    lab: Lab, lab_node: LabNode
) -> None:
    lab_node.output("sudo touch /left-behind && sync")
    key = lab_node.output("cat /etc/ssh/ssh_host_ed25519_key.pub")
    done = lab.run("reset", lab_node.name)
    assert done.returncode == 0, done.stderr
    assert lab_node.ssh("test -e /left-behind").returncode == 1
    assert lab_node.output("cat /etc/ssh/ssh_host_ed25519_key.pub") == key
    assert lab_node.output("hostname") == lab_node.name


def test_a_node_whose_process_is_gone_counts_as_stopped(lab: Lab, lab_node: LabNode) -> None:
    pid = next(entry["pid"] for entry in lab.status() if entry["name"] == lab_node.name)
    subprocess.run(["kill", "-9", str(pid)], check=True)
    time.sleep(1)
    assert lab.run("status").returncode == 1
    assert "does not run" in lab.run("ssh", lab_node.name).stderr
    assert lab.nodes(2)[0].output("hostname") == lab_node.name
