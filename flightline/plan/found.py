"""Which declarations about GPUs cannot work on the node that is there; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flightline import catalog
from flightline.catalog.model import Gpu
from flightline.gpu.bus import PciDevice
from flightline.plan import declared
from flightline.plan.declared import Wanted


@dataclass(frozen=True)
class Found:
    """What a plan knows of a node's GPUs before anything is changed."""

    devices: Sequence[PciDevice]
    is_secure_boot_on: bool = False
    has_enrolled_key: bool = False
    """A machine owner key that DKMS signs with is enrolled in the firmware."""
    builds_modules: bool = True
    """The driver's modules are built on the node, not delivered with a signature."""


def problems(wanted: Wanted, found: Found) -> tuple[str, ...]:
    """Return why the declaration cannot work on this node; empty when it can."""
    gpus = _ours(found.devices)
    lost = [device.address for device in found.devices if device.is_off_the_bus]
    if lost:
        return (f"{', '.join(lost)}: fell off the PCI bus; power-cycle the node, then run again.",)
    if not gpus:
        return tuple(_without_gpus(wanted))
    models, strangers = _models(gpus)
    if strangers:
        return (
            f"the catalog does not know the GPU {', '.join(strangers)}; add it with its source to "
            "catalog.yaml, see `flightline catalog list gpus`.",
        )
    return (*_other_than_declared(wanted, gpus, models), *_cannot(wanted, found, models))


def model(devices: Sequence[PciDevice]) -> Gpu | None:
    """Return the one model of GPU on the bus; None without GPUs, for strangers or mixed ones."""
    models, strangers = _models(_ours(devices))
    return models[0] if len(models) == 1 and not strangers else None


def _ours(devices: Sequence[PciDevice]) -> list[PciDevice]:
    """The GPUs that this node's driver may have: not those of its virtual machines."""
    return [each for each in devices if each.is_gpu and not each.is_passed_through]


def _models(gpus: Sequence[PciDevice]) -> tuple[list[Gpu], list[str]]:
    known: dict[str, Gpu] = {}
    strangers: dict[str, None] = {}
    for device in gpus:
        gpu = catalog.gpu_by_device(device.device)
        if gpu is None:
            strangers[f"{device.vendor}:{device.device}"] = None
        else:
            known[gpu.id] = gpu
    return list(known.values()), list(strangers)


def _without_gpus(wanted: Wanted) -> Iterator[str]:
    if wanted.gpu_model or wanted.gpu_count:
        expected = f"{wanted.gpu_count or 'one or more'} {wanted.gpu_model or 'NVIDIA'} GPUs"
        yield (
            f"no NVIDIA GPU is on the PCI bus, but {expected} are declared; seat and power them, "
            "or correct gpu_model and gpu_count."
        )


def _other_than_declared(
    wanted: Wanted, gpus: Sequence[PciDevice], models: Sequence[Gpu]
) -> Iterator[str]:
    if wanted.gpu_count and len(gpus) != wanted.gpu_count:
        yield (
            f"{len(gpus)} GPUs are on the PCI bus, but gpu_count declares {wanted.gpu_count}; find "
            "the missing ones, or correct gpu_count."
        )
    if len(models) > 1:
        each = Counter(_name(device) for device in gpus)
        counts = ", ".join(f"{number} x {name}" for name, number in sorted(each.items()))
        yield (
            f"different GPUs are in one node ({counts}); an engine spread over them runs as the "
            "weakest, if at all: make them alike."
        )
    elif wanted.gpu_model and models[0].id != catalog.gpu(wanted.gpu_model).id:
        yield (
            f"the GPUs are {models[0].name} ({models[0].id}), but gpu_model declares "
            f"{wanted.gpu_model}; correct the declaration, or the node's group."
        )


def _name(device: PciDevice) -> str:
    gpu = catalog.gpu_by_device(device.device)
    return gpu.name if gpu else device.device


def _cannot(wanted: Wanted, found: Found, models: Sequence[Gpu]) -> Iterator[str]:
    for gpu in models:
        yield from declared.on_gpu(wanted, gpu)
    has_switches = any(device.is_nvswitch for device in found.devices)
    if has_switches and wanted.fabric_manager == "off" and models[0].nvswitch != "all":
        yield (
            'fabric_manager="off", but NVSwitches are on the PCI bus: CUDA would not start; '
            'declare fabric_manager="detect".'
        )
    if found.is_secure_boot_on and found.builds_modules:
        yield from _unsigned(wanted, found)


_STEPS = (
    "on the node run `mokutil --import /var/lib/dkms/mok.pub`, set a password, reboot, enrol the "
    'key at its console, then declare secure_boot="signed"; or switch Secure Boot off'
)


def _unsigned(wanted: Wanted, found: Found) -> Iterator[str]:
    if wanted.secure_boot == "refuse":
        yield (
            "Secure Boot is on, and the kernel would not load modules that are built on the node; "
            f"{_STEPS}."
        )
    elif not found.has_enrolled_key:
        yield (
            'Secure Boot is on and secure_boot="signed", but no key that DKMS signs with is '
            f"enrolled; {_STEPS}."
        )
