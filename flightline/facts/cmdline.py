"""The kernel command line: the running one, and what the boot loader has for the next boot."""

from __future__ import annotations

from typing import TypedDict

from pyinfra.api.facts import FactBase

# Recovery entries ("single" on Debian, "recovery" on Ubuntu) stay bare on purpose; memtest is no
# kernel.
NEXT_BOOT = r"""next_boot() {
    if command -v grubby > /dev/null; then
        grubby --info=DEFAULT | sed -n 's/^args="\(.*\)"$/\1/p'
    else
        sed -nE 's/^[[:space:]]*linux[^[:space:]]*[[:space:]]+[^[:space:]]*vmlinu[^[:space:]]*//p' \
            /boot/grub/grub.cfg | grep -vwE 'single|recovery'
    fi
}"""


class Cmdlines(TypedDict):
    """Kernel arguments, one string of them per line."""

    running: str
    next_boot: list[str]
    """One entry per kernel that the boot loader offers, without recovery; empty: no GRUB."""


def parse_cmdlines(lines: list[str]) -> Cmdlines:
    """Return the record for the lines of `/proc/cmdline` and, after it, of the boot loader.

    One real line: `BOOT_IMAGE=/boot/vmlinuz-6.1.0-41-amd64 root=UUID=1b2c ro quiet iommu=pt`
    (Debian 12, 2026-11-20).
    """
    words = [" ".join(line.split()) for line in lines if line.strip()]
    return {"running": words[0] if words else "", "next_boot": words[1:]}


def missing(arguments: list[str] | tuple[str, ...], line: str) -> list[str]:
    """Return the arguments that a line lacks; "hugepagesz=2M hugepages=64" is one argument."""
    return [argument for argument in arguments if f" {argument} " not in f" {line} "]


class KernelCmdlines(FactBase[Cmdlines]):
    """The running kernel's arguments and the next boot's."""

    def command(self) -> str:
        """Return one script for both."""
        return f"{NEXT_BOOT}\ncat /proc/cmdline; next_boot 2> /dev/null || true"

    def process(self, output: list[str]) -> Cmdlines:
        """Return the record."""
        return parse_cmdlines(output)
