"""What must hold of a node's kernel: nouveau and the command line here, the rest beside.

memory_checks: huge pages, sysctls, swap; system_checks: modules, limits, clocks, health.
"""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable, unknown
from roles.kernel import evidence, memory_checks, system_checks
from roles.kernel.settings import MANAGED_KEYS, KernelSettings

__all__ = ["memory_checks", "system_checks"]

APPLY = "run `flightline apply --role kernel`"

_MODPROBE = (
    "grep -HE '^[[:space:]]*(blacklist|options)[[:space:]]+nouveau' "
    "/etc/modprobe.d/*.conf /run/modprobe.d/*.conf /usr/lib/modprobe.d/*.conf 2> /dev/null"
)
# Only names are listed: reading one file out of the image costs as much as unpacking it.
_INITRAMFS = (
    "image=$(ls -1 /boot/initrd.img-* /boot/initramfs-*.img 2> /dev/null | "
    "grep -vE 'rescue|kdump' | sort -V | tail -n 1); echo \"$image\"; "
    "list=lsinitramfs; command -v lsinitramfs > /dev/null || list=lsinitrd; "
    "{ $list \"$image\" 2>&1 || echo unlisted; } | grep -oE 'etc/modprobe.d/[^ ]+|^unlisted'"
)


@check(
    "kernel-nouveau-absent",
    "nouveau is not loaded, so the GPU is free for NVIDIA's driver",
    severity=CRITICAL,
    remedy=f"{APPLY}; a reboot removes it where it is in use",
)
def nouveau_absent(host: Host, kernel: KernelSettings) -> None:
    if not kernel.nouveau_removed:
        not_applicable("KernelSettings.nouveau_removed is False")
    loaded = [line.split()[0] for line in host.check_output("cat /proc/modules").splitlines()]
    assert "nouveau" not in loaded, (
        "nouveau is loaded, expected it not to be (KernelSettings.nouveau_removed)"
    )


@check(
    "kernel-nouveau-blacklisted",
    "modprobe's configuration keeps nouveau from loading by itself",
    severity=CRITICAL,
    remedy=APPLY,
)
def nouveau_blacklisted(host: Host, kernel: KernelSettings) -> None:
    if not kernel.nouveau_removed:
        not_applicable("KernelSettings.nouveau_removed is False")
    text = " ".join(host.run(_MODPROBE).stdout.split())
    assert "blacklist nouveau" in text, (
        "no file in modprobe.d says `blacklist nouveau` (KernelSettings.nouveau_removed)"
    )
    assert "modeset=0" in text, (
        "no file in modprobe.d says `options nouveau modeset=0` (KernelSettings.nouveau_removed)"
    )


@check(
    "kernel-nouveau-initramfs",
    "the newest initramfs keeps nouveau out too, so it cannot come back at boot",
    severity=CRITICAL,
    remedy="rebuild it: `update-initramfs -u -k all` (RHEL: `dracut --force --regenerate-all`)",
    depends=("kernel-nouveau-blacklisted",),
)
def nouveau_initramfs(host: Host, kernel: KernelSettings) -> None:
    if not kernel.nouveau_removed:
        not_applicable("KernelSettings.nouveau_removed is False")
    lines = host.run(_MODPROBE).stdout.splitlines()
    files = {line.partition(":")[0].lstrip("/") for line in lines if "blacklist" in line}
    image, *names = host.run(_INITRAMFS).stdout.splitlines() or [""]
    if not image or "unlisted" in names:
        unknown(f"what is in the newest initramfs of /boot ({image or 'none'}) cannot be listed")
    assert files & set(names), (
        f"{image} has none of the files that blacklist nouveau, "
        f"expected one of {', '.join(sorted(files)) or 'them'} (KernelSettings.nouveau_removed)"
    )


@check(
    "kernel-cmdline-live",
    "the running kernel has every declared argument",
    severity=ERROR,
    remedy=f"{APPLY}, which reboots the node",
)
def cmdline_live(host: Host, kernel: KernelSettings) -> None:
    declared = evidence.declared_arguments(host, kernel)
    lacking = evidence.absent(declared, evidence.running_cmdline(host))
    assert not lacking, (
        f"/proc/cmdline lacks {', '.join(map(repr, lacking))}, declared by KernelSettings"
    )


@check(
    "kernel-cmdline-unambiguous",
    "no declared argument stands in the running command line with a second value",
    severity=ERROR,
    remedy="remove it from /etc/default/grub or the site's other drop-ins, run update-grub, reboot",
)
def cmdline_unambiguous(host: Host, kernel: KernelSettings) -> None:
    declared = " ".join(evidence.declared_arguments(host, kernel)).split()
    judged = {word.partition("=")[0] for word in declared} & set(MANAGED_KEYS)
    judged -= {"modprobe.blacklist", "rd.driver.blacklist"}  # lists: a site may have more of them
    odd = [
        word
        for word in evidence.running_cmdline(host).split()
        if word.partition("=")[0] in judged and word not in declared
    ]
    assert not odd, (
        f"/proc/cmdline has {', '.join(odd)}, expected of these only "
        f"{', '.join(word for word in declared if word.partition('=')[0] in judged)} "
        "(KernelSettings)"
    )


@check(
    "kernel-cmdline-bootloader",
    "every boot entry but the recovery ones has the declared arguments",
    severity=ERROR,
    remedy=f"{APPLY}; it runs update-grub or grubby",
)
def cmdline_bootloader(host: Host, kernel: KernelSettings) -> None:
    declared = evidence.declared_arguments(host, kernel)
    entries = evidence.next_boot_cmdlines(host)
    if not entries:
        unknown("the boot loader's entries cannot be read: no grubby, no /boot/grub/grub.cfg")
    lacking = sorted({word for entry in entries for word in evidence.absent(declared, entry)})
    assert not lacking, (
        f"the boot loader's entries lack {', '.join(map(repr, lacking))}, "
        "declared by KernelSettings; the next boot would be without"
    )


@check(
    "kernel-cmdline-persistent",
    "the next kernel update would give its boot entry the declared arguments",
    severity=WARNING,
    remedy=APPLY,
)
def cmdline_persistent(host: Host, kernel: KernelSettings) -> None:
    declared = evidence.declared_arguments(host, kernel)
    lacking = evidence.absent(declared, evidence.persistent_cmdline(host))
    assert not lacking, (
        f"update-grub or kernel-install would leave out {', '.join(map(repr, lacking))}, "
        "declared by KernelSettings"
    )
