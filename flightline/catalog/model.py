"""Records of the catalog. A loader refuses an entry without unit, source or date."""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

Architecture = Literal["volta", "turing", "ampere", "ada", "hopper", "blackwell"]
Flavour = Literal["open", "proprietary"]


class Entry(BaseModel):
    """Base of all records: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Figure(Entry):
    """A number with its unit, where it is from, and when it was read there."""

    value: float
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
    device_ids: tuple[str, ...]
    """PCI device ids, four lower-case hexadecimal digits: "2330"."""
    architecture: Architecture
    compute_capability: str
    """"9.0"."""
    is_datacenter: bool
    memory: Figure
    """GiB as nvidia-smi shows it in all, rounded down."""
    memory_bandwidth: Figure
    """GB/s, by specification."""
    nvlink_links: int
    """0 for none."""
    nvlink_rate: Figure | None
    """GB/s of one link in one direction."""
    nvswitch: Literal["none", "some", "all"]
    """Whether boards with this GPU have NVSwitches: all HGX/DGX H100 do, some A100 do not."""
    pcie_generation: int
    pcie_width: int
    kernel_modules: tuple[Flavour, ...]
    """Flavours that drive it, the better one first."""
    first_branch: int
    """Oldest driver branch that knows it."""
    last_branch: int | None
    """Newest driver branch that knows it; None while it is supported."""
    has_mig: bool
    has_ecc: bool
    has_row_remapping: bool
    """Ampere data centre GPUs and newer; older ones retire pages."""
    has_fp8: bool
    has_fp4: bool
    power: Figure
    """W, the default limit by specification."""
    bf16: Figure | None
    """TFLOPS, dense, by specification; None where the GPU has no bf16."""
    fp8: Figure | None
    achieved: dict[str, Figure]
    """Published measurements by metric: "memory_bandwidth", "bf16", "fp8", "h2d", "d2h", "p2p",
    "all_reduce_8" (busbw)."""
    floors: dict[str, Figure]
    """The least that a sound node reaches, by the same metrics; where to gate."""
    source: str
    date: datetime.date
