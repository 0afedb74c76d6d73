"""All records of the catalog, read once: what ships with Flightline, then the site's own.

The site's `catalog.yaml`, beside deploy.py, has the same sections; an entry of it replaces the one
of the same name.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from flightline import project
from flightline.catalog import limits
from flightline.catalog.files import SECTIONS, entries
from flightline.catalog.model import (
    Collective,
    CudaFamily,
    CudaRelease,
    DriverBranch,
    Entry,
    Gpu,
    PublishedModel,
    RdmaPort,
    Xid,
)
from flightline.errors import FlightlineError

DATA = Path(__file__).parent / "data"
SITE = "catalog.yaml"

_FILES = {
    "gpus": "gpus.yaml",
    "drivers": "drivers.yaml",
    "cuda": "cuda.yaml",
    "cuda_families": "cuda.yaml",
    "xids": "xids.yaml",
    "sxids": "sxids.yaml",
    "rdma": "fabric.yaml",
    "collectives": "fabric.yaml",
    "models": "models.yaml",
}


def gpus() -> tuple[Gpu, ...]:
    """Return all GPUs, oldest first. Raises FlightlineError for a wrong entry."""
    return _gpus(_site())


def branches() -> tuple[DriverBranch, ...]:
    """Return the driver branches, oldest first."""
    found = [each for each in _all("drivers", _site()) if isinstance(each, DriverBranch)]
    return tuple(sorted(found, key=lambda each: each.number))


def cuda_releases() -> tuple[CudaRelease, ...]:
    """Return the CUDA releases as they stand in the file, oldest first."""
    return tuple(each for each in _all("cuda", _site()) if isinstance(each, CudaRelease))


def cuda_families() -> tuple[CudaFamily, ...]:
    """Return the major versions of CUDA, oldest first."""
    return tuple(each for each in _all("cuda_families", _site()) if isinstance(each, CudaFamily))


def codes(section: str) -> tuple[Xid, ...]:
    """Return the known codes of "xids" or "sxids" in ascending order."""
    found = [each for each in _all(section, _site()) if isinstance(each, Xid)]
    return tuple(sorted(found, key=lambda each: each.code))


def models() -> tuple[PublishedModel, ...]:
    """Return the shapes of well-known models, as they stand in the file."""
    return tuple(each for each in _all("models", _site()) if isinstance(each, PublishedModel))


def rdma_ports() -> tuple[RdmaPort, ...]:
    """Return what RDMA ports must carry, by rate."""
    found = tuple(each for each in _all("rdma", _site()) if isinstance(each, RdmaPort))
    _believable("rdma", found)
    return found


def collectives() -> tuple[Collective, ...]:
    """Return what collectives across nodes must reach."""
    found = tuple(each for each in _all("collectives", _site()) if isinstance(each, Collective))
    _believable("collectives", found)
    return found


def _believable(section: str, found: Sequence[RdmaPort | Collective]) -> None:
    for each in found:
        for problem in limits.fabric_problems(each):
            place = f"{_site() or DATA / _FILES[section]}"
            name = getattr(each, SECTIONS[section][1])
            raise FlightlineError(f"{place}: {section} {name}, field {problem}.")


@cache
def _gpus(site: Path | None) -> tuple[Gpu, ...]:
    found = tuple(each for each in _all("gpus", site) if isinstance(each, Gpu))
    owners: dict[str, str] = {}
    for gpu in found:
        for problem in limits.problems(gpu):
            raise FlightlineError(f"{_place(site, gpu)}: gpus {gpu.id}, field {problem}.")
        for device in gpu.device_ids:
            if owner := owners.get(device):
                raise FlightlineError(
                    f"{_place(site, gpu)}: gpus {gpu.id}, field device_ids: {device} is also that "
                    f"of {owner}; a device id belongs to one entry."
                )
            owners[device] = gpu.id
    return found


def _place(site: Path | None, gpu: Gpu) -> Path:
    is_own = site is not None and any(
        isinstance(each, Gpu) and each.id == gpu.id for each in entries(site, "gpus")
    )
    return site if is_own and site else DATA / _FILES["gpus"]


@cache
def _all(section: str, site: Path | None) -> tuple[Entry, ...]:
    """Return a section's records; a later one of the same name takes the place of the earlier."""
    name = SECTIONS[section][1]
    shipped = list(entries(DATA / _FILES[section], section))
    own = list(entries(site, section)) if site else []
    if section == "collectives":  # one GPU has several
        return (*shipped, *own)
    return tuple({getattr(each, name): each for each in (*shipped, *own)}.values())


def _site() -> Path | None:
    try:
        path = project.root() / SITE
    except FlightlineError:  # outside a project there is only what ships
        return None
    return path if path.is_file() else None
