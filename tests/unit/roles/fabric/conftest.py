"""A node as the lab's, and a server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flightline.facts.node import NodeFacts, parse_node

LAB = """\
os=ID=debian
os=VERSION_ID="12"
uid=0
kernel=6.1.0-56-amd64
has_systemd=yes
architecture=x86_64
virtualization=qemu
cpus=0-1
memory=MemTotal:        2012112 kB
numa=Node 0 MemTotal:        2012112 kB
room_of=/
Filesystem     1024-blocks   Used Available Capacity Mounted on
/dev/vda1         16402300 963476  14583632       7% /
end=yes
"""


@pytest.fixture
def node() -> NodeFacts:
    return parse_node(LAB)


@pytest.fixture
def server(node: NodeFacts) -> NodeFacts:
    """Bare metal."""
    return replace(node, virtualization="none")
