"""Which CUDA a driver can run: natively, by minor version compatibility, or with a package.

Rules: docs.nvidia.com/deploy/cuda-compatibility (read 2026-11-21). Figures: data/cuda.yaml.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flightline.catalog.model import CudaFamily, Gpu
from flightline.catalog.records import branches, cuda_families, cuda_releases
from flightline.errors import FlightlineError

_NEWEST = 10**6
"""Stands for the newest point release when only the branch is given."""


@dataclass(frozen=True)
class CudaFit:
    """Whether programs built with a CUDA run on a driver; exactly one of the four is true."""

    is_native: bool
    """The driver is as new as the toolkit, or newer."""
    needs_minor_compatibility: bool
    """They run, without what needs the toolkit's own driver, and without PTX built by it."""
    needs_forward_package: bool
    """They run only with cuda-compat-<major>-<minor> in the image or on the node."""
    is_impossible: bool
    sentence: str
    """What holds, and for what is not native, what to do."""


def runs_cuda(driver_version: str, cuda: str, gpu: Gpu | None) -> CudaFit:
    """Return how a driver ("580.105.08", or "580" for the branch) runs CUDA ("12.8").

    Without a GPU nothing is held against it. Raises FlightlineError for text that is no version.
    """
    driver, wanted = _driver(driver_version), _cuda(cuda)
    family = next((each for each in cuda_families() if each.major == wanted[0]), None)
    if family is None:
        return _impossible(f"CUDA {cuda} is not in the catalog; add it to catalog.yaml")
    if gpu and _version(gpu.compute_capability) < _version(family.oldest_capability):
        return _impossible(
            f"CUDA {family.major} builds nothing for the {gpu.name} (compute capability "
            f"{gpu.compute_capability}, the oldest is {family.oldest_capability})"
        )
    if driver >= _native(wanted, family):
        return CudaFit(True, False, False, False, f"driver {driver_version} runs CUDA {cuda}.")
    if driver >= _version(family.driver):
        return _minor(driver_version, cuda)
    return _forward(driver_version, cuda, family, gpu)


def _minor(driver: str, cuda: str) -> CudaFit:
    return CudaFit(
        False, True, False, False,
        f"driver {driver} is older than CUDA {cuda} and of the same family: programs run by minor "
        "version compatibility, but PTX built by the newer toolkit does not.",
    )  # fmt: skip


def _forward(driver: str, cuda: str, family: CudaFamily, gpu: Gpu | None) -> CudaFit:
    """Forward compatibility is for data centre GPUs only."""
    needed = f"CUDA {cuda} needs driver {family.driver} or newer, found {driver}"
    if gpu and not gpu.is_datacenter:
        return _impossible(f"{needed}; the {gpu.name} has no forward compatibility")
    branch = next((each for each in branches() if driver.startswith(str(each.number))), None)
    if branch and not branch.has_forward_compatibility:
        return _impossible(f"{needed}; branch {branch.number} has no forward compatibility")
    package = "cuda-compat-" + cuda.replace(".", "-")
    return CudaFit(
        False, False, True, False,
        f"{needed}: programs run only with {package}, on data centre GPUs; install a newer branch "
        "or see that the image carries the package.",
    )  # fmt: skip


def _impossible(why: str) -> CudaFit:
    return CudaFit(False, False, False, True, f"{why}.")


def _native(wanted: tuple[int, ...], family: CudaFamily) -> tuple[int, ...]:
    """Return the oldest driver that runs this release natively.

    Some versions exist in drivers only: 565 says 12.7, and no such toolkit was published.
    """
    toolkits = {_version(each.version): _version(each.driver) for each in cuda_releases()}
    if exact := toolkits.get(wanted[:2]):
        return exact
    newer = [driver for version, driver in toolkits.items() if version >= wanted[:2]]
    drivers = [(each.number,) for each in branches() if _version(each.cuda) >= wanted[:2]]
    newest = branches()[-1].number if branches() else int(family.driver.split(".")[0])
    return min([*newer, *drivers], default=(newest + 1,))


def _driver(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d{3}(\.\d+){0,2}", text):
        raise FlightlineError(f"driver version {text!r} is none; write it as 580.105.08 or 580.")
    return _version(text) if "." in text else (int(text), _NEWEST)


def _cuda(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d{1,2}\.\d{1,2}(\.\d+)?", text):
        raise FlightlineError(f"CUDA version {text!r} is none; write it as 12.8.")
    return _version(text)


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))
