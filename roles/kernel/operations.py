"""The role's operations: files for the next boot, repairs for the running kernel."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from flightline.facts import cmdline
from flightline.facts.node import NodeFacts, node_of
from flightline.operations import hugepages, modules, sysctl
from flightline.operations.bundle import bundle
from flightline.operations.cmdline import update_boot_loader
from flightline.operations.initramfs import rebuild
from flightline.operations.refusal import Refusal
from roles.kernel import files, sysctls
from roles.kernel.facts import KernelState, RunningKernel
from roles.kernel.platforms import arguments
from roles.kernel.settings import KernelSettings

_MOUNTS = {
    "/dev/hugepages": ("dev-hugepages.mount", hugepages.SIZE_2MIB_KIB),
    "/dev/hugepages1G": ("dev-hugepages1G.mount", hugepages.SIZE_1GIB_KIB),
}


def refusal(settings: KernelSettings, node: NodeFacts) -> str | None:
    """Return why these settings cannot be given to this node, in one sentence, or None."""
    excess = hugepages.beyond_memory(
        _pages(settings), node.numa_nodes, settings.hugepages_max_fraction
    )
    if excess is None:
        return None
    return (
        f"KernelSettings: {excess} (hugepages_max_fraction); lower hugepages_2mib_per_node or "
        "hugepages_1gib_per_node."
    )


@operation()
def refuse_unfit(settings: KernelSettings) -> Generator[StringCommand]:
    """Fail a node whose memory cannot hold the declared huge pages; changes nothing."""
    sentence = refusal(settings, node_of(host))
    if sentence:
        yield Refusal(sentence)
    else:
        host.noop("the settings fit the node")


@operation()
def kernel_files(settings: KernelSettings) -> Generator[StringCommand]:
    """Have all files of the role in place, the boot loader and the initramfs built from them."""
    node = node_of(host)
    sentence = refusal(settings, node)
    if sentence:
        yield Refusal(sentence)
        return
    yield from bundle._inner(items=files.items(settings, node), hooks=files.hooks(node))


@operation()
def running_kernel(settings: KernelSettings) -> Generator[str]:
    """Bring what can change without a reboot to the declared state; one remote command to look."""
    node = node_of(host)
    wanted = sysctls.declared(settings)
    state = host.get_fact(
        KernelState,
        sysctls=[entry.key for entry in wanted],
        modules=["nouveau", *settings.modules],
        initramfs_source=files.NOUVEAU,
    )
    commands = repairs(settings, node, state)
    if not commands:
        host.noop("the running kernel is as declared")
    yield from commands


def repairs(settings: KernelSettings, node: NodeFacts, state: RunningKernel) -> list[str]:
    """Return the commands that bring `state` to `settings`; none when it is there already."""
    wanted = {entry.key: entry.value for entry in sysctls.declared(settings)}
    return [
        *(modules.unload(["nouveau"], state["modules"]) if settings.nouveau_removed else []),
        *modules.load(settings.modules, state["modules"]),
        *sysctl.set_values(wanted, state["sysctl"]),
        *_memory(settings, state),
        *_governor(settings, state),
        *(["swapoff -a"] if state["swaps"] and not settings.swap else []),
        *_service_limits(settings, state),
        *_next_boot(settings, node, state),
    ]


def _memory(settings: KernelSettings, state: RunningKernel) -> list[str]:
    mode = settings.transparent_hugepages
    live = state["transparent_hugepages"]
    pages = _pages(settings)
    mounted = {path: (unit, size) for path, (unit, size) in _MOUNTS.items() if pages[size] > 0}
    return [
        *(
            [f"echo {mode} > /sys/kernel/mm/transparent_hugepage/enabled"]
            if mode and live and mode != live
            else []
        ),
        *hugepages.reserve(pages, state["hugepages"]),
        *hugepages.mount(mounted, state["hugepages"]),
    ]


def _governor(settings: KernelSettings, state: RunningKernel) -> list[str]:
    wanted = settings.cpu_governor
    if wanted is None or state["governors"] in ([], [wanted]):
        return []
    return [
        "for governor in /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor; do "
        f'echo {wanted} > "$governor" || exit 1; done'
    ]


def _service_limits(settings: KernelSettings, state: RunningKernel) -> list[str]:
    gib = settings.memlock_gib
    wanted = {
        "DefaultLimitMEMLOCK": "infinity" if gib is None else str(gib * 1024**3),
        "DefaultLimitNOFILE": str(settings.open_files),
        "DefaultLimitSTACKSoft": str(settings.stack_mib * 1024**2),
    }
    return [] if state["limits"] == wanted else ["systemctl daemon-reexec"]


def _next_boot(settings: KernelSettings, node: NodeFacts, state: RunningKernel) -> list[str]:
    declared = arguments(settings, files.platform_of(node))
    offered = state["cmdlines"]["next_boot"]
    lost = any(cmdline.missing(declared, line) for line in offered)
    stale = settings.nouveau_removed and state["stale_initramfs"]
    return [
        *([update_boot_loader(node.family)] if lost else []),
        *([rebuild(node.family)] if stale else []),
    ]


def _pages(settings: KernelSettings) -> dict[int, int]:
    return {
        hugepages.SIZE_2MIB_KIB: settings.hugepages_2mib_per_node,
        hugepages.SIZE_1GIB_KIB: settings.hugepages_1gib_per_node,
    }
