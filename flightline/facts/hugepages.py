"""Huge pages as they are: reserved pages per NUMA node and size, and where they are mounted."""

from __future__ import annotations

import re
from typing import TypedDict

from pyinfra.api.facts import FactBase

_POOL = re.compile(r"pool node(\d+) hugepages-(\d+)kB (\d+)")
_MOUNT = re.compile(r"mount (\S+) \S*\bpagesize=(\d+)([KMG])")
_KIB = {"K": 1, "M": 1024, "G": 1024 * 1024}


class HugepagePool(TypedDict):
    """The pages of one size on one NUMA node that has CPUs."""

    node: int
    size_kib: int
    pages: int


class Hugepages(TypedDict):
    """All pools, and the page size in KiB of each hugetlbfs mount point."""

    pools: list[HugepagePool]
    mounts: dict[str, int]


def parse_hugepages(lines: list[str]) -> Hugepages:
    """Return the record for lines such as `pool node0 hugepages-2048kB 64` (Linux 6.1)."""
    text = "\n".join(lines)
    return {
        "pools": [
            {"node": int(node), "size_kib": int(size), "pages": int(pages)}
            for node, size, pages in _POOL.findall(text)
        ],
        "mounts": {path: int(count) * _KIB[unit] for path, count, unit in _MOUNT.findall(text)},
    }


class HugepageState(FactBase[Hugepages]):
    """Pools and mounts; NUMA nodes without CPUs (a GPU's memory on Grace) are left out."""

    def command(self) -> str:
        """Return one script for both."""
        return (
            "for node in /sys/devices/system/node/node[0-9]*; do "
            '[ -n "$(cat "$node/cpulist")" ] || continue; '
            'for pool in "$node"/hugepages/hugepages-*; do [ -d "$pool" ] || continue; '
            'echo "pool ${node##*/} ${pool##*/} $(cat "$pool/nr_hugepages")"; done; done; '
            "sed -n 's/^[^ ]* \\([^ ]*\\) hugetlbfs \\([^ ]*\\).*/mount \\1 \\2/p' /proc/mounts"
        )

    def process(self, output: list[str]) -> Hugepages:
        """Return the record."""
        return parse_hugepages(output)
