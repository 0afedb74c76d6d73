"""What must hold of memory: huge pages, sysctl values, swap."""

from __future__ import annotations

import re

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable, unknown
from roles.kernel import evidence
from roles.kernel.settings import KernelSettings
from roles.kernel.sysctls import Theme, declared

_APPLY = "run `flightline apply --role kernel`"
_POOLS = (
    "for node in /sys/devices/system/node/node[0-9]*; do "
    '[ -n "$(cat "$node/cpulist")" ] || continue; for pool in "$node"/hugepages/hugepages-*; do '
    'echo "${node##*/} ${pool##*-} $(cat "$pool/nr_hugepages")"; done; done'
)
_MOUNTS = "grep ' hugetlbfs ' /proc/mounts"


def _expect_pool(host: Host, size: str, wanted: int, field: str) -> None:
    pools = [line.split() for line in host.check_output(_POOLS).splitlines()]
    pools = [pool for pool in pools if pool[1] == size]
    if not pools:
        if wanted == 0:
            not_applicable(f"the kernel has no huge pages of {size}, none are declared")
        unknown(f"the kernel has no huge pages of {size}")
    wrong = [f"{pages} on {node}" for node, _, pages in pools if int(pages) != wanted]
    assert not wrong, (
        f"huge pages of {size}: {', '.join(wrong)}, expected {wanted} on each NUMA node "
        f"(KernelSettings.{field})"
    )


@check(
    "kernel-hugepages-2mib",
    "each NUMA node has exactly the declared 2 MiB pages reserved",
    severity=ERROR,
    remedy=f"{_APPLY}; a reboot finds memory in one piece",
)
def hugepages_2mib(host: Host, kernel: KernelSettings) -> None:
    wanted = kernel.hugepages_2mib_per_node
    _expect_pool(host, "2048kB", wanted, "hugepages_2mib_per_node")


@check(
    "kernel-hugepages-1gib",
    "each NUMA node has exactly the declared 1 GiB pages reserved",
    severity=ERROR,
    remedy=f"{_APPLY}; a reboot finds memory in one piece",
)
def hugepages_1gib(host: Host, kernel: KernelSettings) -> None:
    wanted = kernel.hugepages_1gib_per_node
    _expect_pool(host, "1048576kB", wanted, "hugepages_1gib_per_node")


@check(
    "kernel-hugepages-mounted",
    "hugetlbfs is mounted for each size of huge page that is declared",
    severity=ERROR,
    remedy=_APPLY,
)
def hugepages_mounted(host: Host, kernel: KernelSettings) -> None:
    sizes = [
        *(["2M"] if kernel.hugepages_2mib_per_node else []),
        *(["1024M"] if kernel.hugepages_1gib_per_node else []),
    ]
    if not sizes:
        not_applicable("no huge pages are declared")
    mounted = host.run(_MOUNTS).stdout.replace("pagesize=1G", "pagesize=1024M")
    missing = [size for size in sizes if not re.search(rf"pagesize={size}\b", mounted)]
    assert not missing, (
        f"no hugetlbfs is mounted with pagesize={', '.join(missing)}, expected one for each "
        "declared size (KernelSettings.hugepages_2mib_per_node, hugepages_1gib_per_node)"
    )


@check(
    "kernel-thp-mode",
    "transparent huge pages are in the declared mode",
    severity=WARNING,
    remedy=_APPLY,
)
def thp_mode(host: Host, kernel: KernelSettings) -> None:
    wanted = kernel.transparent_hugepages
    if wanted is None:
        not_applicable("KernelSettings.transparent_hugepages is None")
    text = host.check_output("cat /sys/kernel/mm/transparent_hugepage/enabled")
    assert f"[{wanted}]" in text, (
        f"transparent huge pages are {text.strip()!r}, expected [{wanted}] "
        "(KernelSettings.transparent_hugepages)"
    )


def _expect_sysctls(host: Host, kernel: KernelSettings, theme: Theme) -> None:
    entries = declared(kernel)
    live = evidence.sysctls(host, [entry.key for entry in entries])
    wrong = []
    for entry in (entry for entry in entries if entry.theme == theme):
        found = live.get(entry.key)
        if found != entry.value and not (entry.optional and found is None):
            wrong.append(f"{entry.key} is {found or 'absent'}, expected {entry.value}")
    assert not wrong, f"{'; '.join(wrong)} (KernelSettings.sysctl, roles/kernel/sysctls.py)"


@check(
    "kernel-sysctl-memory",
    "virtual memory sysctls have the declared values",
    severity=ERROR,
    remedy=_APPLY,
)
def sysctl_memory(host: Host, kernel: KernelSettings) -> None:
    _expect_sysctls(host, kernel, "memory")


@check(
    "kernel-sysctl-numa",
    "the kernel neither moves nor reclaims memory between NUMA nodes by itself",
    severity=ERROR,
    remedy=_APPLY,
)
def sysctl_numa(host: Host, kernel: KernelSettings) -> None:
    _expect_sysctls(host, kernel, "numa")


@check(
    "kernel-sysctl-network",
    "socket buffers and queues have the declared sizes",
    severity=WARNING,
    remedy=_APPLY,
)
def sysctl_network(host: Host, kernel: KernelSettings) -> None:
    _expect_sysctls(host, kernel, "network")


@check(
    "kernel-sysctl-neighbours",
    "ARP answers per port, and the neighbour table fits a flat network",
    severity=WARNING,
    remedy=_APPLY,
)
def sysctl_neighbours(host: Host, kernel: KernelSettings) -> None:
    _expect_sysctls(host, kernel, "neighbours")


@check(
    "kernel-sysctl-limits",
    "inotify and other kernel-wide limits have the declared values",
    severity=WARNING,
    remedy=_APPLY,
)
def sysctl_limits(host: Host, kernel: KernelSettings) -> None:
    _expect_sysctls(host, kernel, "limits")


@check(
    "kernel-sysctl-persistent",
    "no later file sets another value at the next boot",
    severity=ERROR,
    remedy=f"remove the value from the file that is named, or {_APPLY}",
)
def sysctl_persistent(host: Host, kernel: KernelSettings) -> None:
    last: dict[str, tuple[str, str]] = {}
    for file, line in evidence.configured(host, "sysctl.d"):
        key, _, value = line.lstrip("-").partition("=")
        last[key.strip().replace("/", ".")] = (" ".join(value.split()), file)
    wrong = [
        f"{entry.key} would be {found[0]} from {found[1]}, expected {entry.value}"
        if (found := last.get(entry.key))
        else f"{entry.key} is in no file of sysctl.d, expected {entry.value}"
        for entry in declared(kernel)
        if last.get(entry.key, ("",))[0] != entry.value
    ]
    assert not wrong, f"{'; '.join(wrong)} (KernelSettings.sysctl)"


@check(
    "kernel-swap-off",
    "no swap is in use, so no token waits for a disk",
    severity=CRITICAL,
    remedy=_APPLY,
)
def swap_off(host: Host, kernel: KernelSettings) -> None:
    if kernel.swap:
        not_applicable("KernelSettings.swap is True")
    areas = [line.split()[0] for line in host.check_output("cat /proc/swaps").splitlines()[1:]]
    assert not areas, f"swap is on: {', '.join(areas)}, expected none (KernelSettings.swap)"


@check(
    "kernel-swap-boot",
    "swap stays off at the next boot, whatever fstab or a generator says",
    severity=ERROR,
    remedy=_APPLY,
)
def swap_boot(host: Host, kernel: KernelSettings) -> None:
    if kernel.swap:
        not_applicable("KernelSettings.swap is True")
    state = host.run("systemctl is-enabled swap.target").stdout.strip()
    assert state.startswith("masked"), (
        f"swap.target is {state or 'unknown to systemd'}, expected masked (KernelSettings.swap)"
    )
