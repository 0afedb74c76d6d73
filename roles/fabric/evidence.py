"""What role and checks ask a node about its fabric: commands and plain parsing, no pyinfra."""

from __future__ import annotations

import re

BRIDGES = """\
for slot in /sys/bus/pci/devices/*; do
    read -r class <"$slot/class" && read -r vendor <"$slot/vendor" || continue
    case $vendor$class in 0x10de0x03*) ;; *) [ -d "$slot/infiniband" ] || continue ;; esac
    readlink -f "$slot" | tr / '\\n' | grep -E '^[0-9a-f]{4,}:' | sed '$d'
done 2>/dev/null | sort -u"""
"""Prints the PCI addresses of the bridges above GPUs and HCAs."""

ACCESS_CONTROL = f"""\
command -v setpci >/dev/null || {{ echo no setpci; exit 0; }}
{BRIDGES} | while read -r bridge; do
    echo "$bridge $(setpci -s "$bridge" ECAP_ACS+6.w 2>/dev/null)"
done
echo end"""
"""Prints each of these bridges with its ACS control register, or nothing where it has none."""

# PCI Express Base 5.0, 7.7.8.3: source validation, request redirect, completion redirect, upstream
# forwarding: what sends peer traffic through the root complex. The other bits do not.
REDIRECTS = 0x01 | 0x04 | 0x08 | 0x10


def redirecting(printed: str) -> tuple[str, ...]:
    """Return the bridges whose ACS redirects peer traffic.

    A line such as "0000:14:00.0 001d" (setpci 3.9); a bridge without ACS has no second word. Raises
    ValueError where setpci is not installed, or the list is cut short.
    """
    lines = printed.splitlines()
    if lines[-1:] != ["end"]:
        raise ValueError("the ACS of PCIe bridges cannot be read: setpci is missing or failed")
    pairs = (line.split() for line in lines[:-1])
    return tuple(
        pair[0]
        for pair in pairs
        if len(pair) == 2 and re.fullmatch("[0-9a-f]{4}", pair[1]) and int(pair[1], 16) & REDIRECTS
    )
