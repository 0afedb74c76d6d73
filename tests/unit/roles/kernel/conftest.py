"""A node as the lab's, for the kernel role's tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flightline.facts.node import NodeFacts, NumaNode, parse_node

LAB = """\
os=ID=debian
os=VERSION_ID="12"
uid=0
kernel=6.1.0-56-amd64
boot_id=7d35e2b2-4dd2-4877-98f7-a7ee9c4ff20b
has_systemd=yes
architecture=x86_64
virtualization=qemu
cpus=0-1
memory=MemTotal:        2012112 kB
numa=Node 0 MemTotal:        2012112 kB
has_cpufreq=no
room_of=/
Filesystem     1024-blocks   Used Available Capacity Mounted on
/dev/vda1         16402300 963476  14583632       7% /
root_options=rw
has_default_route=yes
end=yes
"""


def lab_node(**changes: Any) -> NodeFacts:
    """The lab's Debian 12 node with some properties replaced."""
    return replace(parse_node(LAB), **changes)


@pytest.fixture
def node() -> NodeFacts:
    return lab_node()


@pytest.fixture
def server() -> NodeFacts:
    """A bare-metal server with two NUMA nodes of 512 GiB."""
    return lab_node(
        virtualization="none",
        has_cpufreq=True,
        numa_nodes=(NumaNode(0, 512 * 1024**3), NumaNode(1, 512 * 1024**3)),
    )
