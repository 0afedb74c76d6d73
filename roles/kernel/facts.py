"""The running kernel's state, everything that the role repairs, with one remote command."""

from __future__ import annotations

import re
import shlex
from typing import TypedDict

from pyinfra.api.facts import FactBase

from flightline.facts.cmdline import Cmdlines, KernelCmdlines
from flightline.facts.hugepages import Hugepages, HugepageState
from flightline.facts.initramfs import StaleInitramfs
from flightline.facts.modules import PresentModules
from flightline.facts.sysctl import SysctlValues

_MARK = "@@ "

# One bracketed word of `always [madvise] never`; each CPU's governor; each swap area's name.
_REST = {
    "transparent_hugepages": "cat /sys/kernel/mm/transparent_hugepage/enabled 2> /dev/null",
    "governors": "sort -u /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor 2> /dev/null",
    "swaps": "sed 1d /proc/swaps | cut -d' ' -f1",
    "limits": "systemctl show -pDefaultLimitMEMLOCK -pDefaultLimitNOFILE -pDefaultLimitSTACKSoft",
}


class RunningKernel(TypedDict):
    """What the kernel and the service manager do now."""

    cmdlines: Cmdlines
    hugepages: Hugepages
    stale_initramfs: list[str]
    modules: list[str]
    sysctl: dict[str, str]
    transparent_hugepages: str | None
    governors: list[str]
    swaps: list[str]
    limits: dict[str, str]


def parse_running(lines: list[str]) -> RunningKernel:
    """Return the record for the marked sections of the script's output."""
    parts = _sections(lines)
    chosen = re.search(r"\[(\w+)\]", " ".join(parts.get("transparent_hugepages", [])))
    return {
        "cmdlines": KernelCmdlines().process(parts.get("cmdlines", [])),
        "hugepages": HugepageState().process(parts.get("hugepages", [])),
        "stale_initramfs": parts.get("stale_initramfs", []),
        "modules": parts.get("modules", []),
        "sysctl": SysctlValues().process(parts.get("sysctl", [])),
        "transparent_hugepages": chosen[1] if chosen else None,
        "governors": parts.get("governors", []),
        "swaps": parts.get("swaps", []),
        "limits": dict(line.split("=", 1) for line in parts.get("limits", []) if "=" in line),
    }


class KernelState(FactBase[RunningKernel]):
    """One script of all facts, each section under its own mark."""

    def command(self, sysctls: list[str], modules: list[str], initramfs_source: str) -> str:
        """Return the script for these sysctl keys, modules, and what an initramfs must hold."""
        parts = {
            "cmdlines": KernelCmdlines().command(),
            "hugepages": HugepageState().command(),
            "stale_initramfs": StaleInitramfs().command(initramfs_source),
            "modules": PresentModules().command(modules),
            "sysctl": SysctlValues().command(sysctls),
            **_REST,
        }
        marked = (f"echo {shlex.quote(_MARK + name)}\n{part}" for name, part in parts.items())
        return "export LC_ALL=C\n" + "\n".join(marked) + "\ntrue"

    def process(self, output: list[str]) -> RunningKernel:
        """Return the record."""
        return parse_running(output)


def _sections(lines: list[str]) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if line.startswith(_MARK):
            name = line.removeprefix(_MARK).strip()
            parts[name] = []
        elif name and line.strip():
            parts[name].append(line.strip())
    return parts
