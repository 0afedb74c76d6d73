"""What the checks of the driver ask a node beside flightline.gpu.evidence: one command each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from testinfra.host import Host

from flightline import catalog
from flightline.audit.check import not_applicable, unknown
from flightline.catalog.model import Gpu
from flightline.gpu.bus import PciDevice
from flightline.gpu.driver import SCRIPT as DRIVER
from flightline.gpu.driver import Driver, parse_driver
from flightline.gpu.driver_packages import SCRIPT as PACKAGES
from flightline.gpu.driver_packages import Packages, parse_packages
from flightline.gpu.evidence import bus, gpus_on_bus
from roles.nvidia.settings import NvidiaSettings

__all__ = ["DRIVER", "PACKAGES", "UNITS", "driver", "loaded_driver", "packages", "unit"]

UNITS = (
    "systemctl show --no-pager --property=Id,LoadState,ActiveState,SubState,Result "
    "nvidia-persistenced.service nvidia-fabricmanager.service nvidia-imex.service "
    "nvidia-dcgm.service flightline-gpu.service"
)
"""Answers `unit`."""

_OURS = ("nvidia", "nouveau", "")
"""Kernel drivers of GPUs that this node is to use; vfio-pci holds those of virtual machines."""


@dataclass(frozen=True)
class Unit:
    """A systemd unit as it is now."""

    name: str
    is_there: bool
    active: str
    """"active", "inactive", "failed", "activating"."""
    detail: str
    """"running", "exited", "dead", "auto-restart"."""
    result: str
    """"success", "exit-code", "start-limit-hit"."""

    @property
    def is_active(self) -> bool:
        """Whether it runs, or ran once and stays."""
        return self.active == "active"

    def __str__(self) -> str:
        """Return "nvidia-dcgm.service is failed (start-limit-hit)"."""
        if not self.is_there:
            return f"{self.name} is not installed"
        return f"{self.name} is {self.active} ({self.detail}, {self.result})"


def our_gpus(host: Host) -> tuple[PciDevice, ...]:
    """Return the GPUs that are the node's own; not applicable without any."""
    ours = tuple(each for each in gpus_on_bus(host) if each.driver in _OURS)
    if not ours:
        not_applicable("every GPU is given to virtual machines (its driver is no NVIDIA driver)")
    return ours


def driver(host: Host) -> Driver:
    """Return the driver of a node that has GPUs of its own; unknown when it cannot be read."""
    our_gpus(host)
    try:
        return _parsed_driver(host.run(DRIVER).stdout)
    except ValueError as error:
        unknown(f"{error}.")


def loaded_driver(host: Host) -> Driver:
    """Return the driver as `driver`, unknown where none is loaded."""
    found = driver(host)
    if not found.loaded:
        unknown("the NVIDIA driver is not loaded (/sys/module/nvidia/version)")
    return found


def packages(host: Host) -> Packages:
    """Return the driver's packages on a node that has GPUs; unknown when they cannot be read."""
    our_gpus(host)
    try:
        return _parsed_packages(host.run(PACKAGES).stdout)
    except ValueError as error:
        unknown(f"{error}.")


def unit(host: Host, name: str) -> Unit:
    """Return one of the units in UNITS; unknown when systemd does not answer."""
    blocks = host.run(UNITS).stdout.split("\n\n")
    shown = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in blocks]
    said = next((each for each in shown if each.get("Id") == name), None)
    if said is None:
        unknown(f"systemd does not say what {name} is (`systemctl show`)")
    return Unit(
        name=name,
        is_there=said.get("LoadState") == "loaded",
        active=said.get("ActiveState", ""),
        detail=said.get("SubState", ""),
        result=said.get("Result", ""),
    )


def models(host: Host) -> tuple[Gpu, ...]:
    """Return the catalog's models of the node's GPUs; unknown where one is not in the catalog."""
    found = {each.device: catalog.gpu_by_device(each.device) for each in our_gpus(host)}
    strangers = [device for device, model in found.items() if model is None]
    if strangers:
        unknown(f"10de:{', 10de:'.join(strangers)} is not in the catalog")
    return tuple(model for model in found.values() if model is not None)


def needs_fabric_manager(host: Host, settings: NvidiaSettings) -> None:
    """End the check as not applicable on a node whose GPUs need no fabric manager.

    NVSwitches of the fifth NVLink generation are no PCI devices of the host: there the GPU's model
    tells. In a virtual machine their fabric is managed outside of it.
    """
    gpus = our_gpus(host)
    if settings.fabric_manager == "off":
        not_applicable('NvidiaSettings.fabric_manager is "off"')
    if settings.fabric_manager == "on" or any(each.is_nvswitch for each in bus(host)):
        return
    if not _has_hidden_switches(models(host)) or len(gpus) == 1:
        not_applicable("no NVSwitch is on the PCI bus, and the GPUs' model has none of its own")
    if driver(host).is_virtual:
        not_applicable("the node is virtual, and its NVSwitches are managed outside of it")


def is_fifth_generation(host: Host) -> bool:
    """Whether the GPUs' NVSwitches are managed over InfiniBand: HGX B200 and newer."""
    return _has_hidden_switches(models(host))


def _has_hidden_switches(found: tuple[Gpu, ...]) -> bool:
    return any(each.architecture == "blackwell" and each.nvswitch == "all" for each in found)


@lru_cache(maxsize=16)
def _parsed_driver(text: str) -> Driver:
    return parse_driver(text)


@lru_cache(maxsize=16)
def _parsed_packages(text: str) -> Packages:
    return parse_packages(text)
