"""GPUs, NVSwitches and network cards on the PCI bus, from sysfs: no driver and no lspci needed."""

from __future__ import annotations

import re
from dataclasses import dataclass

NVIDIA, MELLANOX = "10de", "15b3"

_ATTRIBUTES = (
    "vendor device class revision subsystem_vendor subsystem_device numa_node local_cpulist "
    "current_link_speed current_link_width max_link_speed max_link_width "
    "aer_dev_correctable aer_dev_nonfatal aer_dev_fatal"
)

# PCI Code and ID Assignment 1.11: 0x03 display, 0x02 network, 0x0680 other bridge (NVSwitch).
SCRIPT = f"""\
cd /sys/bus/pci/devices 2>/dev/null || {{ echo none; echo end; exit 0; }}
for device in *; do
    read -r class < "$device/class" || continue
    case $class in 0x02*|0x03*|0x0680*) ;; *) continue ;; esac
    set --
    for name in {_ATTRIBUTES}; do set -- "$@" "$device/$name"; done
    grep -sH . "$@"
    driver=$(readlink "$device/driver")
    printf '%s/driver:%s\\n' "$device" "${{driver##*/}}"
    printf '%s/path:%s\\n' "$device" "$(readlink -f "$device")"
done
echo end"""
"""Prints `<address>/<attribute>:<value>` lines, then `end`; the one command behind `parse_bus`."""


@dataclass(frozen=True)
class PciDevice:
    """One device on the PCI bus; numbers are None where the kernel does not give them."""

    address: str
    """Domain, bus, device, function in lower case: "0000:18:00.0"."""
    vendor: str
    """Four hexadecimal digits, lower case: "10de" is NVIDIA."""
    device: str
    """Four hexadecimal digits, lower case: "2330" is an H100 SXM5."""
    class_code: str
    """Six hexadecimal digits: "030200" is a 3D controller."""
    revision: str
    subsystem: str
    """Subsystem vendor and device: "10de:16c1"; empty where it has none."""
    driver: str
    """The kernel driver that is bound; empty for none."""
    numa_node: int | None
    link_speed_gts: float | None
    """GT/s now; an idle GPU may have dropped it."""
    link_width: int | None
    """Lanes now."""
    max_link_speed_gts: float | None
    max_link_width: int | None
    aer_correctable: int | None
    """Errors since boot, as the kernel's AER counts them."""
    aer_nonfatal: int | None
    aer_fatal: int | None
    local_cpus: str
    """CPUs near the device, in the kernel's list format: "0-47,96-143"."""
    parents: tuple[str, ...]
    """Addresses of the bridges above it, from the root port down."""

    @property
    def is_gpu(self) -> bool:
        """Whether it is an NVIDIA GPU: VGA or 3D controller."""
        return self.vendor == NVIDIA and self.class_code[:4] in ("0300", "0302")

    @property
    def is_passed_through(self) -> bool:
        """Whether it is set aside for a virtual machine: bound to vfio-pci, no driver's to have."""
        return self.driver == "vfio-pci"

    @property
    def is_nvswitch(self) -> bool:
        """Whether it is an NVIDIA NVSwitch."""
        return self.vendor == NVIDIA and self.class_code.startswith("0680")

    @property
    def is_network(self) -> bool:
        """Whether it is a network or InfiniBand controller."""
        return self.class_code.startswith("02")

    @property
    def is_off_the_bus(self) -> bool:
        """Whether it answers with all ones: revision ff."""
        return self.revision == "ff" or self.vendor == "ffff"


def parse_bus(text: str) -> tuple[PciDevice, ...]:
    """Return the devices that SCRIPT printed, by address.

    Real lines (Debian 12, 2026-11-21): `0000:00:02.0/vendor:0x1af4`,
    `0000:00:02.0/current_link_speed:Unknown`, `0000:00:02.0/numa_node:-1`. Raises ValueError when
    the end is missing.
    """
    lines = text.splitlines()
    if "end" not in lines:
        raise ValueError("the list of PCI devices is cut short")
    found: dict[str, dict[str, list[str]]] = {}
    for line in lines:
        place, separator, rest = line.partition("/")
        name, colon, value = rest.partition(":")
        if separator and colon:
            found.setdefault(place.lower(), {}).setdefault(name, []).append(value.strip())
    return tuple(_device(address, found[address]) for address in sorted(found))


def _device(address: str, values: dict[str, list[str]]) -> PciDevice:
    def one(name: str) -> str:
        return values.get(name, [""])[0]

    parts = [one("subsystem_vendor"), one("subsystem_device")]
    return PciDevice(
        address=address,
        vendor=_hex(one("vendor")),
        device=_hex(one("device")),
        class_code=_hex(one("class")),
        revision=_hex(one("revision")),
        subsystem=":".join(map(_hex, parts)) if all(parts) else "",
        driver=one("driver"),
        numa_node=_natural(one("numa_node")),
        link_speed_gts=_speed(one("current_link_speed")),
        link_width=_lanes(one("current_link_width")),
        max_link_speed_gts=_speed(one("max_link_speed")),
        max_link_width=_lanes(one("max_link_width")),
        aer_correctable=_total(values.get("aer_dev_correctable")),
        aer_nonfatal=_total(values.get("aer_dev_nonfatal")),
        aer_fatal=_total(values.get("aer_dev_fatal")),
        local_cpus=one("local_cpulist"),
        parents=tuple(re.findall(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", one("path"))[:-1]),
    )


def _hex(text: str) -> str:
    return text.removeprefix("0x").lower()


def _natural(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _lanes(text: str) -> int | None:
    """A width of 0 or 255 is the kernel's word for "unknown"."""
    lanes = _natural(text)
    return lanes if lanes and lanes < 255 else None


def _speed(text: str) -> float | None:
    """From "32.0 GT/s PCIe"; None for "Unknown"."""
    found = re.match(r"([0-9.]+) GT/s", text)
    return float(found.group(1)) if found else None


def _total(lines: list[str] | None) -> int | None:
    """From the last line of a counter file, such as "TOTAL_ERR_COR 0"."""
    totals = [line.split()[1] for line in lines or () if line.startswith("TOTAL_ERR")]
    return int(totals[0]) if totals else None
