"""The sysctls a GPU node gets: one list, set by the role and enforced by the checks.

Kernel documentation: Documentation/admin-guide/sysctl/{vm,kernel,net,fs}.rst and
Documentation/networking/ip-sysctl.rst, Linux 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from roles.kernel.settings import KernelSettings

Theme = Literal["memory", "numa", "network", "neighbours", "limits"]

# Profiles read on 2026-11-20: NVIDIA/skyhook-packages nvidia-tuned/profiles/**/tuned.conf.
_H100 = "NVIDIA nvidia-tuned h100-inference"
_TRAINING = "NVIDIA nvidia-tuned h100-multiNodeTraining"
_GB200 = "NVIDIA nvidia-tuned gb200-performance"
_BASE = "NVIDIA nvidia-tuned nvidia-base"
_OWN = "site addition (KernelSettings.sysctl)"


@dataclass(frozen=True)
class Sysctl:
    """One kernel value: what it is, why, who says so, and whether every kernel has it."""

    key: str
    value: str
    theme: Theme
    reason: str
    source: str
    optional: bool = False


SYSCTLS = (
    Sysctl("vm.swappiness", "1", "memory", "page cache goes before anonymous memory", _H100),
    Sysctl(
        "vm.max_map_count",
        "1048576",
        "memory",
        "memory-mapped weights and CUDA contexts use many maps; never below the distribution's own",
        "Ubuntu 24.04 /usr/lib/sysctl.d/10-map-count.conf; Fedora 39 IncreaseVmMaxMapCount",
    ),
    Sysctl(
        "vm.zone_reclaim_mode",
        "0",
        "numa",
        "remote memory is cheaper than dropping the page cache that weights load through",
        "kernel vm.rst: beneficial to leave disabled for file servers and data locality unneeded",
        optional=True,
    ),
    Sysctl(
        "kernel.numa_balancing",
        "0",
        "numa",
        "unmapping pages to sample accesses stalls pinned engines",
        _GB200,
        optional=True,
    ),
    Sysctl(
        "net.core.rmem_max", "536870912", "network", "receive window of 400 Gb/s links", _TRAINING
    ),
    Sysctl("net.core.wmem_max", "536870912", "network", "send window of 400 Gb/s links", _TRAINING),
    Sysctl(
        "net.ipv4.tcp_rmem",
        "4096 131072 268435456",
        "network",
        "auto-tuning up to 256 MiB; the middle value is the kernel's default since 4.19",
        _TRAINING,
    ),
    Sysctl("net.ipv4.tcp_wmem", "4096 65536 268435456", "network", "as tcp_rmem", _TRAINING),
    Sysctl(
        "net.core.netdev_max_backlog",
        "10000",
        "network",
        "packets queued per CPU before the stack drops them",
        _TRAINING,
    ),
    Sysctl(
        "net.ipv4.conf.all.arp_announce",
        "2",
        "neighbours",
        "several ports in one subnet: each announces its own address only",
        _BASE,
    ),
    Sysctl("net.ipv4.conf.default.arp_announce", "2", "neighbours", "as for all", _BASE),
    Sysctl(
        "net.ipv4.conf.all.arp_ignore",
        "1",
        "neighbours",
        "several ports in one subnet: a port answers for its own address only",
        _BASE,
    ),
    Sysctl("net.ipv4.conf.default.arp_ignore", "1", "neighbours", "as for all", _BASE),
    Sysctl(
        "net.ipv4.neigh.default.gc_thresh1",
        "4096",
        "neighbours",
        "flat networks hold more neighbours than the default 128",
        "Azure and linux-system-roles hpc",
    ),
    Sysctl(
        "net.ipv4.neigh.default.gc_thresh2", "8192", "neighbours", "as gc_thresh1", "as gc_thresh1"
    ),
    Sysctl(
        "net.ipv4.neigh.default.gc_thresh3", "16384", "neighbours", "as gc_thresh1", "as gc_thresh1"
    ),
    Sysctl(
        "fs.inotify.max_user_instances",
        "65535",
        "limits",
        "each container's runtime and log reader takes some of the default 128",
        _GB200,
    ),
    Sysctl("fs.inotify.max_user_watches", "524288", "limits", "as max_user_instances", _GB200),
)


def declared(settings: KernelSettings) -> tuple[Sysctl, ...]:
    """Return the list with a site's values in it: replaced, added, or (None) taken out."""
    own = {key.replace("/", "."): value for key, value in settings.sysctl.items()}
    known = {entry.key: entry for entry in SYSCTLS}
    kept = [entry for entry in SYSCTLS if entry.key not in own]
    for key, value in own.items():
        if value is not None:
            theme = known[key].theme if key in known else _theme(key)
            optional = key in known and known[key].optional
            kept.append(Sysctl(key, " ".join(str(value).split()), theme, _OWN, _OWN, optional))
    return tuple(sorted(kept, key=lambda entry: entry.key))


def _theme(key: str) -> Theme:
    if key.startswith("vm."):
        return "memory"
    return "network" if key.startswith("net.") else "limits"
