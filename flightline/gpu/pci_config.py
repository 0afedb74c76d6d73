"""A PCI Express device's control register, out of the configuration space that sysfs shows."""

from __future__ import annotations

from dataclasses import dataclass

# PCI Local Bus 3.0, chapter 6: status register, bit 4 "has capabilities"; the list is at 0x34.
_STATUS, _HAS_CAPABILITIES, _FIRST = 0x06, 0x10, 0x34
# PCI Express Base 5.0, 7.5.3: capability 0x10, Device Control at 8: bit 4 enables relaxed
# ordering, bits 14 to 12 are the largest read request as a power of two from 128 bytes.
_EXPRESS, _CONTROL = 0x10, 8
_RELAXED = 0x0010


@dataclass(frozen=True)
class PciExpress:
    """What a device may do on its link."""

    max_read_request_bytes: int
    relaxed_ordering: bool


def parse_config(hexadecimal: str) -> PciExpress | None:
    """Return the settings in the first 256 bytes of a configuration space, as hexadecimal digits.

    None where only 64 bytes could be read (not root), or where the device is not PCI Express.
    """
    try:
        raw = bytes.fromhex(hexadecimal)
    except ValueError:
        return None
    if len(raw) < 256 or not raw[_STATUS] & _HAS_CAPABILITIES:
        return None
    at, seen = raw[_FIRST] & 0xFC, set[int]()
    while at >= 0x40 and at not in seen and at + _CONTROL + 2 <= len(raw):
        if raw[at] == _EXPRESS:
            control = int.from_bytes(raw[at + _CONTROL : at + _CONTROL + 2], "little")
            return PciExpress(128 << (control >> 12 & 7), bool(control & _RELAXED))
        seen.add(at)
        at = raw[at + 1] & 0xFC
    return None
