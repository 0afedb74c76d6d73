"""What must hold of modules, limits, clocks, and of the running kernel's health."""

from __future__ import annotations

import re

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable
from roles.kernel import evidence
from roles.kernel.settings import KernelSettings

_APPLY = "run `flightline apply --role kernel`"
_MODULES = 'ls /sys/module; cat "/lib/modules/$(uname -r)/modules.builtin"'
_CLOCKS = (
    "cd /sys/devices/system/clocksource/clocksource0; cat current_clocksource available_clocksource"
)
_GOVERNORS = "sort -u /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor 2> /dev/null"
_IOMMU = (
    "for device in /sys/bus/pci/devices/*; do "
    'read -r vendor <"$device/vendor"; read -r class <"$device/class"; '
    'case "$vendor $class" in "0x10de 0x03"*|"0x15b3 0x02"*) '
    'echo "${device##*/} $(cat "$device/iommu_group/type" 2> /dev/null)";; esac; done'
)
_RELEASES = "uname -r; ls -1 /boot/vmlinuz-* | grep -v rescue | sort -V"

# Kernel documentation, admin-guide/tainted-kernels.rst (Linux 6.1): the bits that mean damage.
# P, O, E (NVIDIA's driver), S, I, K and the like do not.
_DAMAGE = {4: "a machine check", 5: "a bad page", 7: "an oops", 9: "a warning", 14: "a soft lockup"}


@check(
    "kernel-modules-loaded",
    "every declared module is loaded or built in",
    severity=ERROR,
    remedy=_APPLY,
)
def modules_loaded(host: Host, kernel: KernelSettings) -> None:
    if not kernel.modules:
        not_applicable("KernelSettings.modules is empty")
    there = {
        re.sub(r"\.ko$", "", name.rpartition("/")[2]).replace("-", "_")
        for name in host.run(_MODULES).stdout.split()
    }
    lacking = [name for name in kernel.modules if name not in there]
    assert not lacking, (
        f"{', '.join(lacking)} is not loaded, expected it to be (KernelSettings.modules)"
    )


@check(
    "kernel-modules-persistent",
    "every declared module is loaded again at the next boot",
    severity=ERROR,
    remedy=_APPLY,
)
def modules_persistent(host: Host, kernel: KernelSettings) -> None:
    if not kernel.modules:
        not_applicable("KernelSettings.modules is empty")
    listed = {line.replace("-", "_") for _, line in evidence.configured(host, "modules-load.d")}
    lacking = [name for name in kernel.modules if name not in listed]
    assert not lacking, (
        f"no file of modules-load.d has {', '.join(lacking)}, expected one (KernelSettings.modules)"
    )


def _at_least(found: str, wanted: int | None) -> bool:
    """Whether a limit reaches what is wanted; None is unlimited."""
    return found == "unlimited" or (wanted is not None and int(found) >= wanted)


@check(
    "kernel-limits-memlock",
    "a login session may lock as much memory as declared, as RDMA needs",
    severity=CRITICAL,
    remedy=f"{_APPLY}; then open a new session",
)
def limits_memlock(host: Host, kernel: KernelSettings) -> None:
    wanted = None if kernel.memlock_gib is None else kernel.memlock_gib * 1024**2
    for user, limits in evidence.login_limits(host).items():
        soft, hard = limits["memlock"]
        assert _at_least(soft, wanted) and _at_least(hard, wanted), (
            f"a session of {user} may lock {soft} (hard {hard}) KiB, "
            f"expected {wanted or 'unlimited'} (KernelSettings.memlock_gib)"
        )


@check(
    "kernel-limits-nofile",
    "a login session may open as many files as declared",
    severity=ERROR,
    remedy=f"{_APPLY}; then open a new session",
)
def limits_nofile(host: Host, kernel: KernelSettings) -> None:
    for user, limits in evidence.login_limits(host).items():
        soft, hard = limits["nofile"]
        assert _at_least(soft, kernel.open_files), (
            f"a session of {user} may open {soft} (hard {hard}) files, "
            f"expected {kernel.open_files} (KernelSettings.open_files)"
        )


@check(
    "kernel-limits-stack",
    "a login session's stack limit is as declared",
    severity=WARNING,
    remedy=f"{_APPLY}; then open a new session",
)
def limits_stack(host: Host, kernel: KernelSettings) -> None:
    wanted = kernel.stack_mib * 1024
    for user, limits in evidence.login_limits(host).items():
        soft = limits["stack"][0]
        assert soft == str(wanted), (
            f"a session of {user} has a soft stack limit of {soft} KiB, expected {wanted} "
            "(KernelSettings.stack_mib)"
        )


def _service_limits(kernel: KernelSettings) -> dict[str, str]:
    gib = kernel.memlock_gib
    return {
        "DefaultLimitMEMLOCK": "infinity" if gib is None else str(gib * 1024**3),
        "DefaultLimitNOFILE": str(kernel.open_files),
        "DefaultLimitSTACKSoft": str(kernel.stack_mib * 1024**2),
    }


@check(
    "kernel-services-limits",
    "services without limits of their own get the declared ones now",
    severity=ERROR,
    remedy="run `systemctl daemon-reexec`, then restart the services that need it",
)
def services_limits(host: Host, kernel: KernelSettings) -> None:
    live = evidence.service_limits(host)
    wrong = [
        f"{name} is {live.get(name)}, expected {value}"
        for name, value in _service_limits(kernel).items()
        if live.get(name) != value
    ]
    assert not wrong, (
        f"{'; '.join(wrong)} (KernelSettings.memlock_gib, open_files, stack_mib; bytes and files)"
    )


@check(
    "kernel-services-persistent",
    "the service manager reads the declared limits at the next boot",
    severity=ERROR,
    remedy=_APPLY,
)
def services_persistent(host: Host, kernel: KernelSettings) -> None:
    lines = evidence.configured(host, "systemd/system.conf")
    last = {
        key.strip(): (value.strip(), file)
        for file, line in lines
        for key, _, value in [line.partition("=")]
    }
    for name, wanted in _service_limits(kernel).items():
        value, file = last.get(name.removesuffix("Soft"), ("unset", "every file"))
        soft, _, hard = value.partition(":")
        found = soft if name.endswith("Soft") else hard or soft
        assert found == wanted, (
            f"{name} would be {found} from {file}, expected {wanted} "
            "(KernelSettings.memlock_gib, open_files, stack_mib; bytes and files)"
        )


@check(
    "kernel-governor-performance",
    "every CPU runs with the declared frequency governor",
    severity=WARNING,
    remedy=_APPLY,
)
def governor(host: Host, kernel: KernelSettings) -> None:
    if kernel.cpu_governor is None:
        not_applicable("KernelSettings.cpu_governor is None")
    found = host.run(_GOVERNORS).stdout.split()
    if not found:
        not_applicable("no CPU has a cpufreq directory in /sys: the hypervisor or firmware decides")
    assert found == [kernel.cpu_governor], (
        f"CPU frequency governors are {', '.join(found)}, expected {kernel.cpu_governor} only "
        "(KernelSettings.cpu_governor)"
    )


@check(
    "kernel-iommu-mode",
    "GPUs and RDMA ports are mapped straight through the IOMMU",
    severity=WARNING,
    remedy=f"{_APPLY}, which reboots the node; see docs/runbooks/kernel.md",
    depends=("kernel-cmdline-live",),
)
def iommu_mode(host: Host, kernel: KernelSettings) -> None:
    if kernel.iommu is None:
        not_applicable("KernelSettings.iommu is None")
    devices = [line.split() for line in host.run(_IOMMU).stdout.splitlines()]
    grouped = [(device[0], device[1]) for device in devices if len(device) == 2]
    if not grouped:
        not_applicable("no NVIDIA GPU or RDMA port is behind an IOMMU")
    wrong = [f"{device} is {kind}" for device, kind in grouped if kind != "identity"]
    assert not wrong, f"{', '.join(wrong)}, expected identity (KernelSettings.iommu)"


@check(
    "kernel-clocksource-best",
    "time comes from the best clock that the kernel trusts",
    severity=WARNING,
    remedy="look for `clocksource` in `journalctl -k`; see docs/runbooks/kernel.md",
)
def clocksource(host: Host, kernel: KernelSettings) -> None:  # noqa: ARG001 - one signature for all
    current, *available = host.check_output(_CLOCKS).split()
    # The kernel lists them by rating, best first (kernel/time/clocksource.c, Linux 6.1).
    assert current == available[0], (
        f"the clock source is {current}, expected {available[0]}, the best of "
        f"{', '.join(available)}"
    )


@check(
    "kernel-release-newest",
    "the running kernel is the newest installed one",
    severity=WARNING,
    remedy="reboot the node in a maintenance window, or remove the newer kernel",
)
def release_newest(host: Host, kernel: KernelSettings) -> None:  # noqa: ARG001 - one signature for all
    running, *images = host.check_output(_RELEASES).split()
    flavour = running.rpartition("-")[2]
    releases = [image.removeprefix("/boot/vmlinuz-") for image in images]
    if flavour.isalpha() or flavour in ("amd64", "arm64"):  # Debian: other flavours do not compete
        releases = [release for release in releases if release.endswith(f"-{flavour}")]
    assert releases and releases[-1] == running, (
        f"kernel {running} runs, {releases[-1] if releases else 'none'} is the newest in /boot; "
        "expected the newest to run"
    )


@check(
    "kernel-taint-undamaged",
    "the kernel has met no machine check, bad page, oops, warning or lockup since boot",
    severity=WARNING,
    remedy="read `journalctl -k -p warning`; see docs/runbooks/kernel.md",
)
def taint_undamaged(host: Host, kernel: KernelSettings) -> None:  # noqa: ARG001 - one signature for all
    taint = int(host.check_output("cat /proc/sys/kernel/tainted"))
    damage = [name for bit, name in _DAMAGE.items() if taint >> bit & 1]
    if evidence.platform(host).is_virtual:  # a hypervisor that is late looks like a lockup
        damage = [name for name in damage if name != "a soft lockup"]
    assert not damage, f"the kernel is tainted ({taint}) by {', '.join(damage)}, expected by none"
