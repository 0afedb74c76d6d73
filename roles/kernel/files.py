"""The role's files for one node, and what runs when they change: what holds at the next boot."""

from __future__ import annotations

from typing import Any

from flightline.facts.node import NodeFacts
from flightline.operations.bundle import Absent, File, Hook, Item, Link
from flightline.operations.cmdline import LIST, update_boot_loader
from flightline.operations.initramfs import rebuild
from flightline.templates import render
from roles.kernel import sysctls
from roles.kernel.platforms import Platform, arguments
from roles.kernel.settings import KernelSettings

NOUVEAU = "/etc/modprobe.d/flightline-nouveau.conf"
GRUB = "/etc/default/grub.d/99-flightline.cfg"
SYSCTL = "/etc/sysctl.d/99-zz-flightline.conf"
MODULES = "/etc/modules-load.d/flightline.conf"
LIMITS = "/etc/security/limits.d/99-zz-flightline.conf"
SERVICE_LIMITS = "/etc/systemd/system.conf.d/99-zz-flightline.conf"
USER_LIMITS = "/etc/systemd/user.conf.d/99-zz-flightline.conf"
SWAP = "/etc/systemd/system/swap.target"
MOUNT_2MIB = "/etc/systemd/system/dev-hugepages.mount.d/flightline.conf"
MOUNT_1GIB = "/etc/systemd/system/dev-hugepages1G.mount"
WANTS_1GIB = "/etc/systemd/system/sysinit.target.wants/dev-hugepages1G.mount"

_SYSCTL_AT_BOOT = "/usr/lib/systemd/systemd-sysctl"


def platform_of(node: NodeFacts) -> Platform:
    """Return what of a node decides its kernel arguments."""
    return Platform(
        family=node.family,
        architecture=node.architecture,
        is_virtual=node.is_virtual,
        is_grace=node.is_grace,
        numa_nodes=max(1, len(node.numa_nodes)),
    )


def items(settings: KernelSettings, node: NodeFacts) -> tuple[Item, ...]:
    """Return every path that the role owns on this node."""
    return (
        _kept(settings.nouveau_removed, _file(NOUVEAU, "modprobe.d/flightline-nouveau.conf")),
        *_command_line(arguments(settings, platform_of(node)), node.family),
        _file(SYSCTL, "sysctl.d/99-zz-flightline.conf", sysctls=sysctls.declared(settings)),
        _file(MODULES, "modules-load.d/flightline.conf", modules=settings.modules),
        *_limits(settings),
        *_mounts(settings),
        Absent(SWAP) if settings.swap else Link(SWAP, "/dev/null"),
    )


def hooks(node: NodeFacts) -> tuple[Hook, ...]:
    """Return what runs after the moves, cheapest to check first, so that an error costs least."""
    grub = (GRUB,) if node.family == "debian" else ()
    return (
        Hook(f"{_SYSCTL_AT_BOOT} {SYSCTL}", (SYSCTL,)),
        Hook(
            "systemctl daemon-reexec",
            (SERVICE_LIMITS, USER_LIMITS, SWAP, MOUNT_2MIB, MOUNT_1GIB, WANTS_1GIB),
        ),
        Hook(update_boot_loader(node.family), (LIST, *grub)),
        Hook(rebuild(node.family), (NOUVEAU,)),
    )


def _command_line(declared: tuple[str, ...], family: str) -> tuple[Item, ...]:
    listed = _file(LIST, "flightline/kernel-arguments", arguments=declared)
    if family != "debian":
        return (listed,)
    # A drop-in with a syntax error would leave a node without a boot menu: a shell reads it first.
    drop_in = _file(
        GRUB, "default/grub.d/99-flightline.cfg", validate="sh -n {staged}", arguments=declared
    )
    return (listed, drop_in)


def _limits(settings: KernelSettings) -> tuple[Item, ...]:
    gib = settings.memlock_gib
    manager: dict[str, Any] = {
        "settings": settings,
        "memlock_bytes": "infinity" if gib is None else gib * 1024**3,
    }
    return (
        _file(
            LIMITS,
            "security/limits.d/99-zz-flightline.conf",
            settings=settings,
            memlock_kib="unlimited" if gib is None else gib * 1024**2,
        ),
        _file(SERVICE_LIMITS, "systemd/limits.conf", **manager),
        _file(USER_LIMITS, "systemd/limits.conf", **manager),
    )


def _mounts(settings: KernelSettings) -> tuple[Item, ...]:
    one_gib = settings.hugepages_1gib_per_node > 0
    return (
        _kept(
            settings.hugepages_2mib_per_node > 0,
            _file(MOUNT_2MIB, "systemd/system/dev-hugepages.conf"),
        ),
        _kept(one_gib, _file(MOUNT_1GIB, "systemd/system/dev-hugepages1G.mount")),
        _kept(one_gib, Link(WANTS_1GIB, MOUNT_1GIB)),
    )


def _kept(wanted: bool, item: Item) -> Item:
    return item if wanted else Absent(item.path)


def _file(path: str, template: str, validate: str | None = None, **values: Any) -> File:
    return File(path, render(f"kernel/etc/{template}.j2", **values), validate=validate)
