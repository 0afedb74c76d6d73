"""The NVIDIA driver as loaded, as on disk and as libraries, and what of the node surrounds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flightline.catalog.model import Flavour

SCRIPT = Path(__file__).with_name("driver.sh").read_text(encoding="utf-8")
"""Prints `<place>:<value>` lines, then `end`; the one command behind `parse_driver`."""

_VERSION = re.compile(r"(?<![0-9.])([0-9]{3}\.[0-9]{2,3}(?:\.[0-9]{2})?)(?![0-9.])")


@dataclass(frozen=True)
class DiskModule:
    """The nvidia module that an installed kernel would load; empty fields where there is none."""

    kernel: str
    """`uname -r` of that kernel."""
    version: str
    flavour: Flavour | None
    is_signed: bool

    @property
    def is_there(self) -> bool:
        """Whether the kernel has the module."""
        return bool(self.version)


@dataclass(frozen=True)
class Driver:
    """What SCRIPT found."""

    modules: frozenset[str]
    """Those of NVIDIA, nouveau and ib_umad that are loaded, with underscores."""
    loaded: str
    """Version of the loaded module; empty where none is loaded."""
    flavour: Flavour | None
    """Of the loaded module."""
    options: Mapping[str, str]
    """The module's options as it runs with them, without "NVreg_"; strings without quotes."""
    minors: Mapping[str, int]
    """Number of the GPU's /dev/nvidiaN by PCI address, for each GPU that the driver drives."""
    characters: frozenset[str]
    """Character devices /dev/nvidia*."""
    libraries: Mapping[str, str]
    """Driver version by library file, "/usr/lib64/libcuda.so.580.105.08"; empty without one."""
    fabric_manager: str
    """What `nv-fabricmanager --version` says; empty where it is not installed."""
    kernel: str
    """The running kernel, `uname -r`."""
    disk: tuple[DiskModule, ...]
    """One for each installed kernel."""
    virtual: str
    """What systemd-detect-virt says: "none" on bare metal, empty where it cannot tell."""
    numa_nodes: int
    """NUMA nodes that have CPUs."""
    is_secure_boot_on: bool
    requires_signatures: bool
    """The kernel loads signed modules only."""
    identities: Mapping[str, str]
    """Vendor and device as the GPU itself answers now, by PCI address: "233010de"; "ffffffff" when
    it has fallen off the bus, empty when it could not be asked."""
    acs: Mapping[str, int | None]
    """ACS control register by address of the bridges above GPUs; 0 without ACS, None unreadable."""

    @property
    def is_virtual(self) -> bool:
        """Whether the node is a virtual machine."""
        return self.virtual not in ("", "none")


def parse_driver(text: str) -> Driver:
    """Return what SCRIPT printed.

    Real lines (drivers 535 and 580, Debian 12, 2026-11-21): `loaded:580.105.08`, `flavour:NVRM
    version: NVIDIA UNIX Open Kernel Module for x86_64  580.105.08  Release Build`, `option:
    EnableStreamMemOPs: 0`, `kernel:6.1.0-56-amd64|license|NVIDIA`. Raises ValueError when the end
    is missing or a number is none.
    """
    lines = text.splitlines()
    if "end" not in lines:
        raise ValueError("the description of the NVIDIA driver is cut short")
    said: dict[str, list[str]] = {}
    for line in lines:
        place, _, value = line.partition(":")
        said.setdefault(place, []).append(value.strip())

    def one(place: str) -> str:
        return said.get(place, [""])[0]

    def pairs(place: str) -> Mapping[str, str]:
        return {key: value for key, _, value in (v.partition(" ") for v in said.get(place, []))}

    return Driver(
        modules=frozenset(said.get("module", [])),
        loaded=one("loaded"),
        flavour=_flavour(one("flavour")) if one("flavour") else None,
        options=dict(_option(line) for line in said.get("option", [])),
        minors={key.lower(): int(value) for key, value in pairs("minor").items()},
        characters=_characters(said.get("file", [])),
        libraries={path: version_in(path) for path in said.get("library", [])},
        fabric_manager=one("fabricmanager"),
        kernel=one("running"),
        disk=_disk(said.get("kernel", [])),
        virtual=one("virtual"),
        numa_nodes=_count(one("nodes_with_cpus")),
        is_secure_boot_on=one("secure_boot") == "1",
        requires_signatures=one("signatures_enforced") == "Y",
        identities=pairs("identity"),
        acs={key: _register(value) for key, value in pairs("acs").items()},
    )


def version_in(text: str) -> str:
    """Return the driver version in a text, such as "libcuda.so.580.105.08"; empty without one.

    A package's epoch and revision do not count: "3:580.105.08-1.el9" is 580.105.08.
    """
    found = _VERSION.search(re.sub(r"\.so\.", " ", text))
    return found[1] if found else ""


def _flavour(text: str) -> Flavour:
    """From the loaded module's own line, or a license: "Dual MIT/GPL" or "NVIDIA"."""
    return "open" if "Open Kernel Module" in text or "MIT" in text else "proprietary"


def _option(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip().strip('"')


def _characters(lines: list[str]) -> frozenset[str]:
    """From lines such as "character special file|/dev/nvidia0"."""
    pairs = (line.partition("|") for line in lines)
    return frozenset(path for kind, _, path in pairs if kind.startswith("character"))


def _disk(lines: list[str]) -> tuple[DiskModule, ...]:
    kernels: dict[str, dict[str, str]] = {}
    for line in lines:
        kernel, _, rest = line.partition("|")
        key, _, value = rest.partition("|")
        kernels.setdefault(kernel, {})[key] = value.strip()
    return tuple(
        DiskModule(
            kernel,
            values.get("version", ""),
            _flavour(values["license"]) if values.get("license") else None,
            bool(values.get("signer") or values.get("sig_id")),
        )
        for kernel, values in kernels.items()
    )


def _count(ranges: str) -> int:
    """How many numbers are in the kernel's list format, such as "0-3,8"; 0 for an empty one."""
    ends = [part.partition("-")[::2] for part in ranges.split(",") if part]
    return sum(int(last or first) - int(first) + 1 for first, last in ends)


def _register(value: str) -> int | None:
    if value == "none":
        return 0
    return int(value, 16) if re.fullmatch("[0-9a-f]{4}", value) else None
