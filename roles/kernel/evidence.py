"""What the checks read on a node: commands and their plain parsing, no pyinfra.

Every command is a constant or depends on settings alone, so that the audit can send all of them at
once; each reads live state, never only a file that the role wrote.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Any

from roles.kernel.platforms import Platform, arguments
from roles.kernel.settings import KernelSettings

_PLATFORM = r""". /etc/os-release; echo "family $ID ${ID_LIKE:-}"
echo "architecture $(uname -m)"
echo "virtual $(systemd-detect-virt)"
echo "product $(echo $(cat /sys/class/dmi/id/product_name /sys/devices/soc0/soc_id 2> /dev/null))"
for node in /sys/devices/system/node/node[0-9]*; do echo "numa $(cat "$node/cpulist")"; done"""

# Linux drivers/irqchip/irq-gic-v3.c: SoC id 0x036b0241 is T241, the Grace CPU.
_GRACE = re.compile(r"Grace|GH200|GB200|GB300|jep106:036b:0241")

# Debian's and Ubuntu's recovery entries stay bare on purpose.
_NEXT_BOOT = (
    "if command -v grubby > /dev/null; then grubby --info=DEFAULT | grep ^args=; "
    "else grep -E '^[[:space:]]*linux' /boot/grub/grub.cfg | grep -vwE 'single|recovery'; fi"
)

# What update-grub would read now (GRUB 2.06, /usr/sbin/grub-mkconfig), or kernel-install on RHEL.
_PERSISTENT = (
    "if command -v grubby > /dev/null; then cat /etc/kernel/cmdline; else "
    ". /etc/default/grub; for file in /etc/default/grub.d/*.cfg; do "
    '[ -e "$file" ] && . "$file"; done; '
    'echo "$GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT"; fi'
)

_LOGIN_LIMITS = (
    'for user in nobody root; do su -s /bin/sh "$user" -c '
    "'for kind in l n s; do echo \"$(ulimit -S -$kind) $(ulimit -H -$kind)\"; done' "
    "< /dev/null; done"
)


def platform(host: Any) -> Platform:
    """Return what of the node decides its kernel arguments."""
    said = _words(host.run(_PLATFORM).stdout)
    family = " ".join(said["family"])
    return Platform(
        family="rhel" if re.search("rhel|centos|fedora", family) else "debian",
        architecture=said["architecture"][0],
        is_virtual=said["virtual"] != ["none"],
        is_grace=said["architecture"] == ["aarch64"]
        and bool(_GRACE.search(" ".join(said["product"]))),
        numa_nodes=max(1, len(said.get("numa", []))),
    )


def declared_arguments(host: Any, kernel: KernelSettings) -> tuple[str, ...]:
    """Return the kernel arguments that this node is to have."""
    return arguments(kernel, platform(host))


def running_cmdline(host: Any) -> str:
    """Return the running kernel's arguments."""
    return str(host.check_output("cat /proc/cmdline"))


def next_boot_cmdlines(host: Any) -> list[str]:
    """Return the arguments of each entry that the boot loader offers, recovery left out."""
    found = host.run(_NEXT_BOOT).stdout.splitlines()
    return [line.removeprefix("args=").replace('"', " ") for line in found]


def persistent_cmdline(host: Any) -> str:
    """Return the arguments that the next kernel update would write into the boot loader."""
    return str(host.run(_PERSISTENT).stdout)


def absent(wanted: Iterable[str], line: str) -> list[str]:
    """Return the arguments that a line of arguments lacks."""
    padded = f" {' '.join(line.split())} "
    return [argument for argument in wanted if f" {argument} " not in padded]


def sysctls(host: Any, keys: Iterable[str]) -> dict[str, str]:
    """Return the live values of those keys that the kernel has."""
    paths = [f"/proc/sys/{key.replace('.', '/')}" for key in keys]
    command = f"for file in {shlex.join(paths)}; do "
    command += '[ -e "$file" ] && echo "$file $(cat "$file")"; done'
    lines = (line.partition(" ") for line in host.run(command).stdout.splitlines())
    return {
        path.removeprefix("/proc/sys/").replace("/", "."): " ".join(value.split())
        for path, _, value in lines
    }


def configured(host: Any, name: str) -> list[tuple[str, str]]:
    """Return (file, line) of a systemd-style configuration in the order it is read at boot.

    `name` is such as "sysctl.d"; comments are left out, masked and overridden files too.
    """
    found, file = [], ""
    for line in host.run(f"systemd-analyze cat-config --no-pager {name}").stdout.splitlines():
        if line.startswith("# /"):
            file = line[2:]
        elif line.strip() and line.lstrip()[0] not in "#;":
            found.append((file, line.strip()))
    return found


def login_limits(host: Any) -> dict[str, dict[str, tuple[str, str]]]:
    """Return per user (nobody, root) the soft and hard limits of a session opened now.

    memlock and stack are in KiB, "unlimited" where there is none; a session passes PAM.
    """
    pairs = [tuple(line.split()) for line in host.run(_LOGIN_LIMITS).stdout.splitlines()]
    if len(pairs) != 6 or any(len(pair) != 2 for pair in pairs):  # 2 users of 3 limits each
        raise ValueError("`su` gave no session for nobody and root, so limits cannot be read")
    named = [
        dict(zip(("memlock", "nofile", "stack"), part, strict=True))
        for part in (pairs[:3], pairs[3:])
    ]
    return {"nobody": named[0], "root": named[1]}


def service_limits(host: Any) -> dict[str, str]:
    """Return the limits that a service without its own gets now, in bytes and files."""
    names = ",".join(f"DefaultLimit{kind}" for kind in ("MEMLOCK", "NOFILE", "STACKSoft"))
    lines = host.run(f"systemctl show --property={names}").stdout.splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _words(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).extend(value.split())
    return found
