"""What is published about GPUs, drivers, CUDA, Xids, fabrics, models: dated data with sources.

Nothing is read before it is asked for, and every file once only. `catalog.yaml` in the project adds
or replaces entries.
"""

from __future__ import annotations

import datetime

from flightline.catalog.compatibility import CudaFit, runs_cuda
from flightline.catalog.limits import specification
from flightline.catalog.model import (
    Collective,
    DriverBranch,
    Figure,
    Flavour,
    Gpu,
    PublishedModel,
    Xid,
)
from flightline.catalog.names import model_of, one_of
from flightline.catalog.records import (
    branches,
    codes,
    collectives,
    cuda_releases,
    gpus,
    models,
    rdma_ports,
)

__all__ = [
    "Collective",
    "CudaFit",
    "DriverBranch",
    "Figure",
    "Flavour",
    "Gpu",
    "PublishedModel",
    "Xid",
    "branch",
    "branches",
    "collective_floor",
    "collectives",
    "cuda_releases",
    "gpu",
    "gpu_by_device",
    "gpu_by_product",
    "gpus",
    "has_dtype",
    "model",
    "models",
    "rdma_floor",
    "rdma_ports",
    "runs_cuda",
    "specification",
    "sxid",
    "sxids",
    "xid",
    "xids",
]


def gpu(name: str) -> Gpu:
    """Return the GPU of an id ("h200_sxm"), device id ("2335"), product name or unique prefix.

    Raises FlightlineError that lists the candidates, or names near to an unknown one.
    """
    return one_of(name, gpus())


def model(name: str) -> PublishedModel:
    """Return the model of an id ("llama-3.1-70b"), or of a part that only one has.

    Raises FlightlineError that lists the candidates, or names near to an unknown one.
    """
    return model_of(name, models())


def gpu_by_device(device_id: str) -> Gpu | None:
    """Return the GPU of a PCI device id, four hexadecimal digits; None for an unknown one."""
    wanted = device_id.lower()
    return next((each for each in gpus() if wanted in each.device_ids), None)


def gpu_by_product(product_name: str) -> Gpu | None:
    """Return the GPU that the driver calls so ("NVIDIA A10G"); None for an unknown or shared name.

    For captures whose device ids were scrubbed.
    """
    found = [each for each in gpus() if product_name in each.product_names]
    return found[0] if len(found) == 1 else None


def has_dtype(model: Gpu, dtype: str) -> bool:
    """Return whether the GPU computes in a number format: fp4, fp8, bf16, tf32; others always."""
    capability = tuple(map(int, model.compute_capability.split(".")))
    known = {
        "fp4": model.has_fp4,
        "fp8": model.has_fp8,
        "bf16": capability >= (8, 0),
        "tf32": capability >= (8, 0),
    }
    return known.get(dtype.lower(), True)


def branch(number: int) -> DriverBranch | None:
    """Return a driver branch; None where the catalog does not have it."""
    return next((each for each in branches() if each.number == number), None)


def xids() -> tuple[Xid, ...]:
    """Return the Xids that NVIDIA publishes."""
    return codes("xids")


def sxids() -> tuple[Xid, ...]:
    """Return the NVSwitch SXids that NVIDIA publishes."""
    return codes("sxids")


def xid(code: int) -> Xid:
    """Return an Xid; one that is not in the catalog is critical: it fails closed."""
    return next((each for each in xids() if each.code == code), _unknown("Xid", code))


def sxid(code: int) -> Xid:
    """Return an SXid; one that is not in the catalog is critical: it fails closed."""
    return next((each for each in sxids() if each.code == code), _unknown("SXid", code))


def rdma_floor(rate_gbps: float) -> Figure | None:
    """Return the least ib_write_bw of a port of that rate, Gb/s; None where none is known."""
    return next((each.floor for each in rdma_ports() if each.rate_gbps == rate_gbps), None)


def collective_floor(gpu_id: str, nodes: int) -> Figure | None:
    """Return the least all_reduce busbw across so many nodes, GB/s; None where none is published.

    The smallest floor of the fabrics that others published for this GPU.
    """
    found = [each.floor for each in collectives() if each.gpu == gpu_id and each.nodes == nodes]
    return min(found, key=lambda figure: figure.value, default=None)


def _unknown(kind: str, code: int) -> Xid:
    return Xid(
        code=code,
        description=f"{kind} {code} is not in the catalog",
        action="",
        severity="critical",
        is_known=False,
        source="fails closed: a code that nobody explained is taken for the worst",
        date=datetime.date(2026, 11, 21),
    )
