"""The GPUs of a node, as nvidia-smi shows them and the catalog knows them."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from testinfra.host import Host

from flightline import catalog
from flightline.audit.check import unknown
from flightline.catalog.model import Gpu
from flightline.gpu.evidence import report
from flightline.gpu.reading import Reading, State
from flightline.gpu.smi import SmiGpu, SmiReport

# What nvidia-smi prints in place of values of a GPU that is gone (NVML's error strings).
_LOST = re.compile(r"gpu is lost|fallen off the bus|gpu requires reset", re.IGNORECASE)

# What each single value may be; when most are, the driver no longer reaches the GPU.
_BROKEN = re.compile(r"unknown error|err!|timeout", re.IGNORECASE)

STRANGER = "is of a model that is not in the catalog"
"""What is said of a GPU whose model nothing tells."""


@dataclass(frozen=True)
class Board:
    """One GPU as nvidia-smi shows it, with what the catalog knows of its model."""

    index: int
    smi: SmiGpu
    model: Gpu | None
    """None for a device id that the catalog does not know."""
    branch: int
    """The driver's branch, such as 580; 0 when it is not known."""
    among: int
    """How many GPUs of the node answer."""

    def __str__(self) -> str:
        return f"GPU {self.index} ({self.smi.address})"

    @property
    def is_share(self) -> bool:
        """Whether it is a vGPU: a guest's share of a GPU that its host keeps."""
        return (self.smi.virtualization_mode.value or "").upper() == "VGPU"

    @property
    def known(self) -> Gpu:
        """The model; ends the check as unknown where the catalog has none."""
        if self.model is None:
            unknown(f"{self} {STRANGER}")
        return self.model


def boards(host: Host) -> tuple[Board, ...]:
    """Return the GPUs that answer, unknown when none does; nvidia-gpu-answering has the rest."""
    shown = report(host)
    answer = [(index, gpu) for index, gpu in enumerate(shown.gpus) if not is_lost(gpu)]
    if not answer:
        unknown("no GPU answers nvidia-smi")
    return tuple(
        Board(index, gpu, _model(gpu), branch(shown), len(answer)) for index, gpu in answer
    )


def branch(shown: SmiReport) -> int:
    """Return the driver's branch, 0 when the report does not name it."""
    number = (shown.driver_version.value or "").partition(".")[0]
    return int(number) if number.isdigit() else 0


def is_lost(gpu: SmiGpu) -> bool:
    """Whether the GPU no longer answers: some value says so, or it cannot even tell who it is."""
    return bool(lost_value(gpu))


def lost_value(gpu: SmiGpu) -> str:
    """Return what a GPU that is gone printed in place of a value; "" for one that answers."""
    values = [getattr(gpu, each.name) for each in fields(gpu)]
    readings = [each for each in values if isinstance(each, Reading)]
    said = [each.raw for each in readings if _LOST.search(each.raw)]
    if gpu.uuid.state is State.TROUBLE:
        said.append(gpu.uuid.raw)
    broken = [each.raw for each in readings if _BROKEN.search(each.raw)]
    if len(broken) > sum(each.is_there for each in readings):
        said.append(broken[0])
    return said[0] if said else ""


def _model(gpu: SmiGpu) -> Gpu | None:
    """By device id; by the exact name that the driver prints where the id tells nothing."""
    if found := catalog.gpu_by_device(gpu.device_id.value or ""):
        return found
    name = gpu.product_name.value
    return next((each for each in catalog.gpus() if name in each.product_names), None)
