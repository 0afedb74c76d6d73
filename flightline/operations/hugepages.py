"""Reserving huge pages on the running kernel, and refusing what memory cannot hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flightline.facts.hugepages import Hugepages
from flightline.facts.node import NumaNode

KIB = 1024
SIZE_2MIB_KIB = 2048
SIZE_1GIB_KIB = 1024 * 1024


def reserve(pages_by_size_kib: Mapping[int, int], live: Hugepages) -> list[str]:
    """Return a command per pool whose count differs from the wanted count of its size.

    The kernel gives what it can find in one piece; fewer pages than asked for is no error here,
    the reboot probe sees it.
    """
    return [
        f"echo {pages_by_size_kib[pool['size_kib']]} > /sys/devices/system/node/node{pool['node']}"
        f"/hugepages/hugepages-{pool['size_kib']}kB/nr_hugepages"
        for pool in live["pools"]
        if pages_by_size_kib.get(pool["size_kib"], pool["pages"]) != pool["pages"]
    ]


def mount(units_by_path: Mapping[str, tuple[str, int]], live: Hugepages) -> list[str]:
    """Return a command per mount point (to unit and page size in KiB) that is not mounted so."""
    return [
        f"systemctl restart {unit}"
        for path, (unit, size_kib) in units_by_path.items()
        if live["mounts"].get(path) != size_kib
    ]


def beyond_memory(
    pages_by_size_kib: Mapping[int, int], nodes: Sequence[NumaNode], max_fraction: float
) -> str | None:
    """Return which NUMA node cannot hold its huge pages within `max_fraction`, or None.

    The sentence says what is asked for, what there is, in GiB, and the limit.
    """
    wanted = sum(size * KIB * pages for size, pages in pages_by_size_kib.items())
    for node in nodes:
        if wanted > node.memory_bytes * max_fraction:
            return (
                f"huge pages ask for {wanted / 1024**3:.1f} GiB on NUMA node {node.id}, which "
                f"has {node.memory_bytes / 1024**3:.1f} GiB, of which {max_fraction:.0%} may be "
                "huge pages"
            )
    return None
