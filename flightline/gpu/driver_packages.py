"""The packages of the NVIDIA driver and its companions: versions, holds, what may upgrade them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flightline.gpu.driver import version_in

SCRIPT = Path(__file__).with_name("driver_packages.sh").read_text(encoding="utf-8")
"""Prints `<place>:<value>` lines, then `end`; the one command behind `parse_packages`."""

# Those that have the driver's version and must have the same one. Not here: nvidia-modprobe,
# nvidia-persistenced and nvidia-settings, which Debian versions apart; packages with an old and
# a new branch side by side (firmware); Canonical's signed modules, versioned like the kernel.
_OF_THE_DRIVER = re.compile(
    r"(nvidia-(open-)?kernel-(open-)?(dkms|source)|nvidia-(dkms|kernel-source)(-.+)?"
    r"|kmod-nvidia-(open|latest)-dkms|nvidia-driver-(cuda|libs|cuda-libs|bin)|nvidia-smi"
    r"|nvidia-(headless|utils|compute-utils)(-no-dkms)?-.+|nvidia-utils|libcuda1"
    r"|libnvidia-(compute|cfg1?|ml1?|ptxjitcompiler1|nscq)(-\d+)?(-server)?"
    r"|nvidia-fabric-?manager(-\d+)?|nvidia-imex(-\d+)?)"
)
_COMPANIONS = (
    # dcgm-exporter's package has a version of its own.
    (
        "DCGM",
        re.compile(
            r"datacenter-gpu-manager(-4)?(-core|-dev|(-proprietary)?-cuda\d+|-proprietary)?"
        ),
    ),
    (
        "the container toolkit",
        re.compile(r"nvidia-container-toolkit(-base)?|libnvidia-container(1|-tools)"),
    ),
)
_EXACTLY = re.compile(r"([a-zA-Z0-9.+-]+)(?:\([^)]*\))?(?::\w+)? \(= ([^)]+)\)")


@dataclass(frozen=True)
class Package:
    """One installed package."""

    name: str
    version: str
    """Whole, with epoch and revision: "3:580.105.08-1.el9"."""
    is_held: bool
    pins: frozenset[str]
    """Packages that it needs in exactly one version."""

    @property
    def is_of_the_driver(self) -> bool:
        """Whether its version must be the driver's."""
        return _OF_THE_DRIVER.fullmatch(self.name) is not None

    @property
    def driver(self) -> str:
        """The driver version in its own: "580.105.08"; empty for none."""
        return version_in(self.version)

    def __str__(self) -> str:
        """Return "nvidia-smi 535.309.01-0+deb12u1"."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Packages:
    """What SCRIPT found."""

    installed: tuple[Package, ...]
    upgrades_alone: bool
    """Unattended upgrades are on (apt)."""
    never_upgraded: tuple[str, ...]
    """Patterns that they leave alone, as unattended-upgrades has loaded them."""
    heeds_locks: bool
    """The package manager heeds holds: apt always, dnf with its versionlock plug-in."""

    @property
    def of_the_driver(self) -> tuple[Package, ...]:
        """Those whose version must be the driver's."""
        return tuple(each for each in self.installed if each.is_of_the_driver)

    @property
    def companions(self) -> Mapping[str, tuple[Package, ...]]:
        """Packages that belong together and have versions of their own, by what they are."""
        found = {
            what: tuple(each for each in self.installed if pattern.fullmatch(each.name))
            for what, pattern in _COMPANIONS
        }
        return {what: packages for what, packages in found.items() if packages}

    @property
    def ours(self) -> tuple[Package, ...]:
        """The driver's and its companions'; not what happens to be named after NVIDIA."""
        beside = (each for packages in self.companions.values() for each in packages)
        return (*self.of_the_driver, *beside)

    @property
    def fixed(self) -> frozenset[str]:
        """Names that cannot change version alone: held ones, and all bound to these exactly.

        What a held package needs in one version cannot move; nor can what needs a held one so,
        since its next version needs the other's next one.
        """
        fixed = {each.name for each in self.installed if each.is_held}
        while True:
            needed = {name for each in self.installed if each.name in fixed for name in each.pins}
            needing = {each.name for each in self.installed if each.pins & fixed}
            if needed | needing <= fixed:
                return frozenset(fixed)
            fixed |= needed | needing

    def is_left_alone(self, package: Package) -> bool:
        """Whether unattended upgrades do not touch it: fixed, or on their own list."""
        listed = any(_matches(pattern, package.name) for pattern in self.never_upgraded)
        return listed or package.name in self.fixed


def parse_packages(text: str) -> Packages:
    """Return what SCRIPT printed.

    Real lines (Debian 12, 2026-11-21): `package:hi |nvidia-smi|535.309.01-0+deb12u1|, libc6 (>=
    2.17), libnvidia-ml1 (= 535.309.01-0+deb12u1)`, `setting:APT::Periodic::Unattended-Upgrade
    "1";`. Raises ValueError when the end is missing.
    """
    lines = text.splitlines()
    if "end" not in lines:
        raise ValueError("the list of NVIDIA packages is cut short")
    said: dict[str, list[str]] = {}
    for line in lines:
        place, _, value = line.partition(":")
        said.setdefault(place, []).append(value.strip())
    locks = [line for line in said.get("lock", []) if line and line[0] not in "#!"]
    rows = [row for line in said.get("package", []) if len(row := line.split("|", 3)) == 4]
    settings = [line.partition(" ")[::2] for line in said.get("setting", [])]
    return Packages(
        installed=tuple(_package(row, locks) for row in rows if row[0][1:2] == "i"),
        upgrades_alone=any(
            name == "APT::Periodic::Unattended-Upgrade" and value.strip('";') not in ("", "0")
            for name, value in settings
        ),
        never_upgraded=tuple(value.strip('";') for name, value in settings if "Blacklist" in name),
        heeds_locks="apt" in said.get("manager", []) or _plugin_is_on(settings),
    )


def _package(row: list[str], locks: list[str]) -> Package:
    status, name, version, needs = row
    held = status.startswith("h") or any(_locks(lock, name, version) for lock in locks)
    return Package(name, version, held, frozenset(found[1] for found in _EXACTLY.finditer(needs)))


def _locks(lock: str, name: str, version: str) -> bool:
    """Whether a line of versionlock.list, "nvidia-driver-cuda-3:580.105.08-1.el9.*", is of it."""
    plain = version if ":" in version else f"0:{version}"
    return any(fnmatch.fnmatchcase(f"{name}-{each}.arch", lock) for each in (version, plain))


def _matches(pattern: str, name: str) -> bool:
    """As unattended-upgrades takes its list: a regular expression at the name's beginning."""
    try:
        return re.match(pattern, name) is not None
    except re.error:
        return False


def _plugin_is_on(settings: list[tuple[str, str]]) -> bool:
    off = {"0", "no", "false", "off"}
    said = [(name, value.strip().lower()) for name, value in settings]
    return ("plugin", "installed") in said and not any(
        name in ("plugins", "enabled") and value in off for name, value in said
    )
