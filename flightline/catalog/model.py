"""Records of the catalog. A loader refuses an entry without unit, source or date."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Architecture = Literal["volta", "turing", "ampere", "ada", "hopper", "blackwell"]
Flavour = Literal["open", "proprietary"]
Severity = Literal["critical", "warning", "info"]
Version = Annotated[str, StringConstraints(pattern=r"^\d{1,2}\.\d{1,2}$")]
DriverVersion = Annotated[str, StringConstraints(pattern=r"^\d{3}(\.\d+){1,2}$")]
DeviceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{4}$")]


class Entry(BaseModel):
    """Base of all records: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Figure(Entry):
    """A number with its unit, where it is from, and when it was read there."""

    value: float = Field(gt=0, allow_inf_nan=False)
    unit: str
    source: str
    date: datetime.date


class Gpu(Entry):
    """One model of GPU, as told apart by its PCI device ids."""

    id: str
    """"h100_sxm_80": what settings and commands call it."""
    name: str
    product_names: tuple[str, ...]
    """As the driver prints them: "NVIDIA H100 80GB HBM3"."""
    device_ids: tuple[DeviceId, ...]
    """PCI device ids, four lower-case hexadecimal digits: "2330"."""
    architecture: Architecture
    compute_capability: Version
    """"9.0"."""
    is_datacenter: bool
    memory: Figure
    """GiB as nvidia-smi shows it in all, rounded down, with ECC on where there is ECC (it takes 6 %
    of GDDR memory). Drivers before 510 show up to 3 % less."""
    memory_bandwidth: Figure
    """GB/s, by specification."""
    nvlink_links: int = Field(ge=0)
    """0 for none."""
    nvlink_rate: Figure | None
    """GB/s of one link in one direction."""
    nvlink_by_bridge: bool = False
    """Whether the links need a bridge between cards: where none is fitted, none is up."""
    nvswitch: Literal["none", "some", "all", "rack"]
    """Whether boards with this GPU have NVSwitches: all HGX/DGX H100 do, some A100 do not. "rack"
    are those whose switches stand in trays of their own: the node runs IMEX, and no fabric
    manager."""
    pcie_generation: int = Field(ge=3, le=6)
    """What the link to the host runs at under load; the GPU itself may be capable of more."""
    pcie_width: int = Field(ge=1, le=16)
    kernel_modules: tuple[Flavour, ...]
    """Flavours that drive it, the better one first."""
    first_branch: int
    """Oldest driver branch that knows it, 470 at the least."""
    last_branch: int | None
    """Newest driver branch that knows it; None while it is supported."""
    has_mig: bool
    has_ecc: bool
    has_row_remapping: bool
    """Ampere data centre GPUs and newer; older ones retire pages."""
    has_fp8: bool
    has_fp4: bool
    power: Figure
    """W, the default limit by specification; boards for better cooling may have a higher one."""
    bf16: Figure | None
    """TFLOPS, dense, by specification; None where the GPU has no bf16 or no figure was found."""
    fp8: Figure | None
    achieved: dict[str, Figure]
    """Published measurements by metric: "memory_bandwidth", "bf16", "fp8", "h2d", "d2h", "p2p",
    "all_reduce_8" (busbw of so many GPUs in one node)."""
    floors: dict[str, Figure]
    """The least that a sound node reaches, by the same metrics; where to gate."""
    source: str
    date: datetime.date


class DriverBranch(Entry):
    """One branch of the driver and how long it is kept up."""

    number: int = Field(ge=100, le=999)
    """580."""
    kind: Literal["production", "new-feature", "long-term"]
    released: datetime.date
    """The branch's first release for data centre GPUs."""
    end_of_life: datetime.date | None
    """The last day with fixes; None where NVIDIA gives none."""
    cuda: Version
    """"13.0": the newest CUDA that it runs natively."""
    flavours: tuple[Flavour, ...]
    has_forward_compatibility: bool = True
    """Whether cuda-compat packages of a newer major version run on it, on data centre GPUs."""
    fabric_manager_package: str
    """As NVIDIA's repository for Debian and Ubuntu names it."""
    source: str
    date: datetime.date


class CudaRelease(Entry):
    """One release of the CUDA toolkit."""

    version: Version
    """"12.8"."""
    driver: DriverVersion
    """"570.26": the oldest driver that runs all of it natively."""
    source: str
    date: datetime.date


class CudaFamily(Entry):
    """What holds for all releases of one major version of CUDA."""

    major: int
    driver: DriverVersion
    """The oldest driver with minor version compatibility: "525.60.13"."""
    oldest_capability: Version
    """The oldest compute capability that the toolkit builds for: "7.5"."""
    source: str
    date: datetime.date


class Xid(Entry):
    """One code that the driver logs for a GPU (Xid) or an NVSwitch (SXid)."""

    code: int
    description: str
    action: str
    """NVIDIA's word for what to do at once, such as RESET_GPU; empty where none is published."""
    severity: Severity
    is_known: bool
    """False for a code that is not in the catalog; it is critical."""
    source: str
    date: datetime.date


class RdmaPort(Entry):
    """What one RDMA port of a rate must carry."""

    rate_gbps: float = Field(gt=0, allow_inf_nan=False)
    floor: Figure
    """Gb/s by ib_write_bw in one direction with large messages."""


class Collective(Entry):
    """What a collective across nodes reached or must reach, as others publish it."""

    gpu: str
    """The id of the GPU."""
    nodes: int
    fabric: str
    """"8 x NDR400 InfiniBand"."""
    floor: Figure
    """GB/s, busbw of all_reduce at a large fixed size."""


class PublishedModel(Entry):
    """The shape of a well-known model."""

    id: str
    """"llama-3.1-70b": what commands call it."""
    name: str
    parameters: int = Field(gt=0)
    """The published count."""
    config: dict[str, Any]
    """The fields of its own config.json that decide how much memory it takes."""
    source: str
    date: datetime.date
