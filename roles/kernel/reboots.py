"""What of the kernel only a reboot can bring, judged on the live node."""

from __future__ import annotations

from flightline.operations.cmdline import MISSING_PROBE, STALE_PROBE
from flightline.reboot import RebootProbe
from roles.kernel.settings import KernelSettings


def reboot_probes(settings: KernelSettings) -> tuple[RebootProbe, ...]:
    """Return the reasons for a reboot that these settings can have."""
    found = [
        RebootProbe("declared kernel arguments are not in the running kernel", MISSING_PROBE),
        RebootProbe("the running kernel has arguments that are no longer declared", STALE_PROBE),
    ]
    if settings.nouveau_removed:
        found.append(RebootProbe("nouveau is loaded and in use", "test -d /sys/module/nouveau"))
    for size_kib, pages in (
        (2048, settings.hugepages_2mib_per_node),
        (1024 * 1024, settings.hugepages_1gib_per_node),
    ):
        if pages:
            found.append(_short(size_kib, pages))
    return tuple(found)


def _short(size_kib: int, pages: int) -> RebootProbe:
    """Memory in use is too scattered for huge pages; at boot it is not."""
    return RebootProbe(
        f"fewer than {pages} huge pages of {size_kib} KiB could be reserved on a NUMA node",
        "short=1; for node in /sys/devices/system/node/node[0-9]*; do "
        '[ -n "$(cat "$node/cpulist")" ] || continue; '
        f'pool="$node/hugepages/hugepages-{size_kib}kB/nr_hugepages"; '
        'have=$(cat "$pool" 2> /dev/null || echo 0); '
        f'[ "$have" -ge {pages} ] || short=0; done; test "$short" = 0',
    )
