"""What a node's own description is understood to mean."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from pyinfra.api.exceptions import FactProcessError

from flightline.errors import NodeRefused
from flightline.facts.node import Node, NodeFacts, NumaNode, forget_node, node_of, parse_node

# A lab node as it answered on 2026-11-21: Debian 12 in QEMU.
LAB = """\
os=VERSION_ID="12"
os=VERSION_CODENAME=bookworm
os=ID=debian
uid=0
kernel=6.1.0-56-amd64
boot_id=7d35e2b2-4dd2-4877-98f7-a7ee9c4ff20b
has_systemd=yes
architecture=x86_64
virtualization=qemu
product_name=Standard PC (Q35 + ICH9, 2009)
soc_id=
cpus=0-1
memory=MemTotal:        2012112 kB
numa=Node 0 MemTotal:        2012112 kB
has_cpufreq=no
is_uefi=no
room_of=/
room_of=/boot
room_of=/var
Filesystem     1024-blocks   Used Available Capacity Mounted on
/dev/vda1         16402300 963476  14583632       7% /
/dev/vda1         16402300 963476  14583632       7% /
/dev/vda1         16402300 963476  14583632       7% /
root_options=rw,noatime,errors=remount-ro
has_default_route=yes
end=yes
"""


def told(**changes: str) -> NodeFacts:
    """The lab node with some lines replaced."""
    lines = [line for line in LAB.splitlines() if line.partition("=")[0] not in changes]
    return parse_node("\n".join([*(f"{key}={value}" for key, value in changes.items()), *lines]))


def test_a_lab_node_is_understood() -> None:
    node = parse_node(LAB)
    assert (node.distribution, node.version, node.codename) == ("debian", "12", "bookworm")
    assert (node.family, node.architecture, node.kernel) == ("debian", "x86_64", "6.1.0-56-amd64")
    assert node.numa_nodes == (NumaNode(0, 2012112 * 1024),)
    assert (node.cpus, node.memory_bytes) == (2, 2012112 * 1024)
    assert node.root_free_bytes == node.var_free_bytes == 14583632 * 1024
    assert node.is_virtual
    assert node.is_root
    assert node.has_systemd
    assert node.has_default_route
    assert not (node.is_grace or node.has_cpufreq or node.is_uefi or node.root_read_only)
    assert node.apt_lock_holder is None
    assert node.dpkg_broken == ()


@pytest.mark.parametrize(
    ("distribution", "family"),
    [("ubuntu", "debian"), ("rocky", "rhel"), ("almalinux", "rhel"), ("arch", "unknown")],
)
def test_the_family_follows_from_the_distribution(distribution: str, family: str) -> None:
    assert told(os=f"ID={distribution}").family == family


@pytest.mark.parametrize(
    ("product", "soc", "architecture", "grace"),
    [
        ("P4352 Grace CPU", "", "aarch64", True),
        ("QuantaGrid S74G-2U GH200", "", "aarch64", True),
        ("", "jep106:036b:0241", "aarch64", True),
        ("HGX H200", "", "x86_64", False),
        ("", "jep106:0a16:0001", "aarch64", False),
    ],
)
def test_grace_is_told_from_other_cpus(
    product: str, soc: str, architecture: str, grace: bool
) -> None:
    node = told(product_name=product, soc_id=soc, architecture=architecture)
    assert node.is_grace is grace


@pytest.mark.parametrize(("cpus", "count"), [("0", 1), ("0-191", 192), ("0-3,8,10-11", 7)])
def test_cpus_are_counted_from_the_kernels_list(cpus: str, count: int) -> None:
    assert told(cpus=cpus).cpus == count


def test_trouble_is_told() -> None:
    node = told(
        uid="1000",
        root_options="ro,relatime",
        has_default_route="no",
        lock_holder="812 apt-get",
        dpkg="iF  docker.io",
        dpkg_interrupted="yes",
    )
    assert not node.is_root
    assert node.root_read_only
    assert not node.has_default_route
    assert node.apt_lock_holder == "apt-get (pid 812)"
    assert node.dpkg_broken == ("docker.io",)
    assert node.dpkg_interrupted


def test_an_option_that_only_mentions_ro_is_not_read_only() -> None:
    assert not told(root_options="rw,errors=remount-ro").root_read_only


@pytest.mark.parametrize("text", ["", LAB.removesuffix("end=yes\n"), "cpus=many\nend=yes\n"])
def test_a_description_that_is_cut_short_is_never_believed(text: str) -> None:
    with pytest.raises(FactProcessError, match="the node's description cannot be read"):
        Node().process(text.splitlines())


@pytest.mark.parametrize("shell", [["sh"], ["bash"]])
def test_this_computer_describes_itself(shell: list[str]) -> None:
    done = subprocess.run(
        [*shell, "-c", Node().command()], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    node = parse_node(done.stdout)
    kernel = subprocess.run(["uname", "-r"], capture_output=True, text=True, check=True).stdout
    assert node.kernel == kernel.strip()
    online = subprocess.run(
        ["getconf", "_NPROCESSORS_ONLN"], capture_output=True, text=True, check=True
    )
    assert node.cpus == int(online.stdout)


class Host:
    """Counts how often it was asked."""

    name = "gpu-07"

    def __init__(self, answer: NodeFacts | None) -> None:
        self.answer, self.asked = answer, 0

    def get_fact(self, _fact: Any) -> NodeFacts | None:
        self.asked += 1
        return self.answer


def test_a_node_is_asked_once_until_it_is_forgotten() -> None:
    host = Host(parse_node(LAB))
    assert node_of(host) is node_of(host)
    assert host.asked == 1
    forget_node(host)
    node_of(host)
    assert host.asked == 2


def test_a_node_that_does_not_answer_is_refused_by_name() -> None:
    with pytest.raises(NodeRefused, match="gpu-07 did not say what it is"):
        node_of(Host(None))
