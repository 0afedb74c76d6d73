"""Which declarations about GPUs cannot work, from the declaration and the catalog alone.

Every function returns sentences: what is declared, what the catalog says, what to do.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Protocol

from flightline import catalog
from flightline.catalog.model import Flavour, Gpu
from flightline.errors import FlightlineError


class Wanted(Protocol):
    """What is declared of a node's GPUs: the fields of NvidiaSettings that a plan judges."""

    @property
    def gpu_model(self) -> str | None:
        """Catalog id, or None for any."""

    @property
    def gpu_count(self) -> int | None:
        """GPUs in the node, or None for any number."""

    @property
    def branch(self) -> int | None:
        """Driver branch, or None for the catalog's choice."""

    @property
    def version(self) -> str | None:
        """Exact driver version, or None."""

    @property
    def kernel_modules(self) -> Flavour | None:
        """Flavour of the modules, or None for the GPU's own."""

    @property
    def fabric_manager(self) -> str:
        """detect, on or off."""

    @property
    def fabric_manager_version(self) -> str | None:
        """Exact version of the fabric manager, or None for the driver's."""

    @property
    def mig(self) -> tuple[str, ...] | None:
        """MIG profiles; None and () use none."""

    @property
    def dtypes(self) -> Sequence[str]:
        """Number formats that the models need."""

    @property
    def image_cuda(self) -> str | None:
        """Newest CUDA inside the images, or None."""

    @property
    def image_has_cuda_compat(self) -> bool:
        """Whether the images carry the forward compatibility package."""

    @property
    def secure_boot(self) -> str:
        """refuse or signed."""


def branch_of(wanted: Wanted) -> int | None:
    """Return the declared branch: by number, or the one that the declared version is of."""
    return int(wanted.version.split(".")[0]) if wanted.version else wanted.branch


def problems(wanted: Wanted) -> tuple[str, ...]:
    """Return why the declaration cannot work, whatever the node is; empty when it can."""
    try:
        gpu = catalog.gpu(wanted.gpu_model) if wanted.gpu_model else None
    except FlightlineError as error:
        return (f"gpu_model: {error.message}",)
    return (*_contradictions(wanted), *(on_gpu(wanted, gpu) if gpu else _driver(wanted)))


def on_gpu(wanted: Wanted, gpu: Gpu) -> Iterator[str]:
    """Yield why the declaration cannot work on this model of GPU."""
    yield from _branch(wanted, gpu)
    yield from _flavour(wanted, gpu)
    yield from _features(wanted, gpu)
    yield from _cuda(wanted, gpu)


def warnings(wanted: Wanted, today: datetime.date) -> tuple[str, ...]:
    """Return what works and should not stay so: a driver branch past its end of life."""
    number = branch_of(wanted)
    known = catalog.branch(number) if number else None
    if known is None or known.end_of_life is None or known.end_of_life > today:
        return ()
    return (
        f"driver branch {number} has had no security fixes since {known.end_of_life} "
        f"({known.source}); plan a move to {_lasting(today)}.",
    )


def _driver_name(wanted: Wanted) -> str | None:
    number = branch_of(wanted)
    if number is None or catalog.branch(number) is None:
        return None
    return wanted.version or str(number)


def _contradictions(wanted: Wanted) -> Iterator[str]:
    version, branch = wanted.version, wanted.branch
    if version and branch and branch_of(wanted) != branch:
        yield f"version {version} is not of branch {branch}; correct one of them."
    manager = wanted.fabric_manager_version
    if manager and version and manager != version:
        yield (
            f"fabric_manager_version {manager} is not the driver's {version}; the two must be "
            "equal to the last digit, or CUDA fails with error 802: correct one of them."
        )


def _driver(wanted: Wanted) -> Iterator[str]:
    """What can be said of the driver while the GPU is not declared."""
    yield from _unknown_branch(wanted)
    if not branch_of(wanted):
        return
    yield from _cuda(wanted, None)


def _unknown_branch(wanted: Wanted) -> Iterator[str]:
    number = branch_of(wanted)
    if number and catalog.branch(number) is None:
        known = ", ".join(str(each.number) for each in catalog.branches())
        yield (
            f"driver branch {number} is not in the catalog (it has {known}); choose one of these, "
            "or add it with its source to catalog.yaml."
        )


def _branch(wanted: Wanted, gpu: Gpu) -> Iterator[str]:
    unknown = tuple(_unknown_branch(wanted))
    number = branch_of(wanted)
    if unknown or not number:
        yield from unknown
    elif number < gpu.first_branch:
        yield (
            f"driver branch {number} does not know the {gpu.name}, which needs {gpu.first_branch} "
            f"or newer; declare branch={_fitting(gpu)}."
        )
    elif gpu.last_branch and number > gpu.last_branch:
        yield (
            f"driver branch {number} no longer knows the {gpu.name}; {gpu.last_branch} is its "
            f"last: declare branch={gpu.last_branch}."
        )


def _flavour(wanted: Wanted, gpu: Gpu) -> Iterator[str]:
    flavour = wanted.kernel_modules
    number = branch_of(wanted)
    known = catalog.branch(number) if number else None
    if flavour and flavour not in gpu.kernel_modules:
        yield (
            f'kernel_modules="{flavour}" cannot drive the {gpu.name} ({gpu.architecture}), which '
            f"runs with {' or '.join(gpu.kernel_modules)} ones; "
            f'declare kernel_modules="{gpu.kernel_modules[0]}" or leave it out.'
        )
    elif flavour and known and flavour not in known.flavours:
        yield (
            f'driver branch {number} has no {flavour} kernel modules; declare kernel_modules="'
            f'{known.flavours[0]}" or another branch.'
        )


def _features(wanted: Wanted, gpu: Gpu) -> Iterator[str]:
    if wanted.mig and not gpu.has_mig:
        yield f"mig is declared, but the {gpu.name} has no MIG; leave mig out."
    if wanted.fabric_manager == "off" and gpu.nvswitch == "all":
        yield (
            f'fabric_manager="off", but every board with the {gpu.name} has NVSwitches: CUDA would '
            'not start; declare fabric_manager="detect".'
        )
    for dtype in wanted.dtypes:
        if not _can(gpu, dtype):
            yield (
                f"dtypes has {dtype}, which the {gpu.name} (compute capability "
                f"{gpu.compute_capability}) has no hardware for; it needs {_NEEDS[dtype]}: serve "
                "another number format, or use other GPUs."
            )


_NEEDS = {
    "bf16": "compute capability 8.0",
    "tf32": "compute capability 8.0",
    "fp8": "compute capability 8.9",
    "fp4": "compute capability 10.0",
}
"""CUDA C++ Programming Guide, table of compute capabilities (arithmetic of tensor cores)."""


def _can(gpu: Gpu, dtype: str) -> bool:
    if dtype == "fp8":
        return gpu.has_fp8
    if dtype == "fp4":
        return gpu.has_fp4
    if dtype in ("bf16", "tf32"):
        return tuple(map(int, gpu.compute_capability.split("."))) >= (8, 0)
    return True


def _cuda(wanted: Wanted, gpu: Gpu | None) -> Iterator[str]:
    driver = _driver_name(wanted)
    if not (wanted.image_cuda and driver):
        return
    fit = catalog.runs_cuda(driver, wanted.image_cuda, gpu)
    if fit.is_impossible:
        yield (
            f"image_cuda {wanted.image_cuda}: {fit.sentence.rstrip('.')}; declare a newer branch, "
            "or serve images with an older CUDA."
        )
    elif fit.needs_forward_package and not wanted.image_has_cuda_compat:
        yield (
            f"image_cuda {wanted.image_cuda} is above what driver {driver} runs by itself; declare "
            "a newer branch, or image_has_cuda_compat=True where the images carry NVIDIA's "
            "cuda-compat package and the GPUs are for data centres."
        )


def _fitting(gpu: Gpu) -> int:
    """Return the branch to name in a remedy: the longest supported one that knows the GPU."""
    known = [
        each
        for each in catalog.branches()
        if each.number >= gpu.first_branch
        and (gpu.last_branch is None or each.number <= gpu.last_branch)
    ]
    return max(known, key=_lifetime).number if known else gpu.first_branch


def _lasting(today: datetime.date) -> int:
    alive = [
        each
        for each in catalog.branches()
        if each.end_of_life is not None and each.end_of_life > today
    ]
    return max(alive or catalog.branches(), key=_lifetime).number


def _lifetime(branch: catalog.DriverBranch) -> tuple[datetime.date, int]:
    return branch.end_of_life or datetime.date.min, branch.number
