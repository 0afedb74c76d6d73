"""The NVIDIA driver of a node as it is: one remote command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from flightline.catalog.model import Flavour
from roles.nvidia.packages import is_module_package, upstream


@dataclass(frozen=True)
class Kernel:
    """An installed kernel, and the nvidia module on disk for it."""

    version: str
    has_headers: bool
    module: str
    """Version of the module; empty where there is none."""
    flavour: Flavour | None


@dataclass(frozen=True)
class GpuUser:
    """A process that has a GPU open."""

    pid: int
    program: str
    container: str
    """First twelve digits of the container's id; empty outside of one."""

    def __str__(self) -> str:
        """Return "vllm (pid 812, container 3f2a...)"."""
        place = f", container {self.container}" if self.container else ""
        return f"{self.program} (pid {self.pid}{place})"


@dataclass(frozen=True)
class DriverState:
    """The driver: loaded, on disk, packaged; who uses it, and what surrounds it."""

    loaded: str
    """Version of the loaded module; empty when none is."""
    loaded_flavour: Flavour | None
    kernels: tuple[Kernel, ...]
    packages: dict[str, str]
    """Versions of the installed packages of any NVIDIA driver, kernel images and headers."""
    held: frozenset[str]
    stream: str
    """dnf's enabled stream of the module nvidia-driver."""
    is_secure_boot_on: bool
    has_enrolled_key: bool
    users: tuple[GpuUser, ...]
    units: tuple[str, ...]
    """Which of NVIDIA's services run."""
    is_nouveau_bound: bool
    """nouveau drives a GPU: until a reboot nothing else can."""
    sources: tuple[tuple[str, str], ...]
    """Lines of apt's source files, each with its file."""

    @property
    def module_packages(self) -> tuple[str, ...]:
        """The installed packages that bring modules; with signed ones, what goes with them."""
        built = tuple(name for name in self.packages if is_module_package(name))
        signed = "nvidia-headless-no-dkms-"
        return built or tuple(name for name in self.packages if name.startswith(signed))

    @property
    def packaged(self) -> str:
        """Driver version of the packaged modules; empty when none are."""
        return next((upstream(self.packages[name]) for name in self.module_packages), "")

    @property
    def packaged_flavour(self) -> Flavour | None:
        """Flavour of the packaged modules."""
        names = self.module_packages
        return None if not names else "open" if "open" in names[0] else "proprietary"

    @property
    def on_disk(self) -> str:
        """Version of the modules on disk, packaged or not: the newest kernel's."""
        return next((each.module for each in reversed(self.kernels) if each.module), "")

    @property
    def description(self) -> str:
        """What the node has, for a sentence: "driver 535.309.01, loaded"."""
        version = self.packaged or self.on_disk or self.loaded
        if not version:
            return "no NVIDIA driver"
        return f"driver {version}{', loaded' if self.loaded == version else ''}"


def parse_driver(text: str) -> DriverState:
    """Return the record that the output of driver.sh describes.

    Real lines (Debian 12, 2026-11-21): `package=ii  nvidia-kernel-dkms 535.309.01-0+deb12u1`,
    `kernel=6.1.0-56-amd64|yes|535.309.01|NVIDIA`; with a GPU `loaded=580.105.08`,
    `loaded_as=NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.105.08  Release Build`.
    Raises ValueError when the end is missing.
    """
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator:
            values.setdefault(key, []).append(value)
    if "end" not in values:
        raise ValueError("the driver's description is cut short")

    def one(key: str) -> str:
        return values.get(key, [""])[0].strip()

    installed = [each for each in map(str.split, values.get("package", [])) if each[0][1:2] == "i"]
    locks = values.get("lock", [])
    held = {name for status, name, _ in installed if status.startswith("h")}
    held |= {name for _, name, _ in installed if any(lock.startswith(f"{name}-") for lock in locks)}
    return DriverState(
        loaded=one("loaded"),
        loaded_flavour=_flavour(one("loaded_as")) if one("loaded") else None,
        kernels=tuple(map(_kernel, values.get("kernel", []))),
        packages={name: version for _, name, version in installed},
        held=frozenset(held),
        stream=one("stream"),
        is_secure_boot_on=one("secure_boot") == "on",
        has_enrolled_key=one("key") == "enrolled",
        users=tuple(map(_user, values.get("user", []))),
        units=tuple(values.get("unit", [])),
        is_nouveau_bound=one("nouveau") == "bound",
        sources=tuple(_source(line) for line in values.get("source", [])),
    )


class Driver(FactBase[DriverState | None]):
    """The driver's state; None when the node could not be asked."""

    def command(self) -> str:
        """Return the one script that asks everything."""
        return Path(__file__).with_name("driver.sh").read_text(encoding="utf-8")

    def process(self, output: list[str]) -> DriverState:
        """Return the record; raises FactProcessError when the output cannot be understood."""
        try:
            return parse_driver("\n".join(output))
        except (ValueError, IndexError) as error:
            raise FactProcessError(f"the NVIDIA driver cannot be read: {error}") from error


def _kernel(text: str) -> Kernel:
    version, headers, module, license_ = text.split("|")
    flavour = _flavour(license_) if module else None
    return Kernel(version, headers == "yes", module, flavour)


def _flavour(text: str) -> Flavour:
    """From a license ("Dual MIT/GPL" or "NVIDIA") or the loaded module's own line."""
    return "open" if "MIT" in text or "Open Kernel Module" in text else "proprietary"


def _user(text: str) -> GpuUser:
    pid, program, container = text.split("|")
    return GpuUser(int(pid), program, container)


def _source(text: str) -> tuple[str, str]:
    file, _, line = text.partition("|")
    return file, line
