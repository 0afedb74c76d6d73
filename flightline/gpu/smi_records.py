"""The records of `nvidia-smi -q -x`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flightline.gpu.reading import Reading


@dataclass(frozen=True)
class SmiProcess:
    """A process that holds a GPU."""

    pid: int
    """0 where the driver does not say it."""
    kind: str
    """C, G or C+G, as printed."""
    name: str
    used_memory_mib: Reading[int]


@dataclass(frozen=True)
class SmiGpu:
    """One `<gpu>` element. Every field that a driver may leave out is a Reading."""

    address: str
    """PCI address in lower case, domain of four digits where it fits: "0000:18:00.0"."""
    product_name: Reading[str]
    architecture: Reading[str]
    serial: Reading[str]
    uuid: Reading[str]
    vbios_version: Reading[str]
    inforom_image_version: Reading[str]
    gsp_firmware_version: Reading[str]
    device_id: Reading[str]
    """Four lower-case hexadecimal digits, from pci/pci_device_id "233010DE": "2330"."""
    persistence_mode: Reading[bool]
    addressing_mode: Reading[str]
    compute_mode: Reading[str]
    recovery_action: Reading[str]
    """gpu_recovery_action (570 on): "None" is a value here, and means that all is well."""
    mig_current: Reading[bool]
    mig_pending: Reading[bool]
    mig_devices: int
    """MIG devices listed."""
    ecc_current: Reading[bool]
    ecc_pending: Reading[bool]
    sram_correctable_volatile: Reading[int]
    sram_uncorrectable_volatile: Reading[int]
    """Parity and SECDED added where the driver tells them apart."""
    dram_correctable_volatile: Reading[int]
    dram_uncorrectable_volatile: Reading[int]
    sram_correctable_aggregate: Reading[int]
    sram_uncorrectable_aggregate: Reading[int]
    dram_correctable_aggregate: Reading[int]
    dram_uncorrectable_aggregate: Reading[int]
    sram_threshold_exceeded: Reading[bool]
    remapped_correctable: Reading[int]
    remapped_uncorrectable: Reading[int]
    remap_pending: Reading[bool]
    remap_failure: Reading[bool]
    channel_repair_pending: Reading[bool]
    """Memory channel, from 580 on; done at the next reset."""
    tpc_repair_pending: Reading[bool]
    """Texture processing cluster, a group of cores; from 580 on."""
    unrepairable_memory: Reading[bool]
    retired_single_bit: Reading[int]
    retired_double_bit: Reading[int]
    retirement_pending: Reading[bool]
    pcie_generation: Reading[int]
    """What the link runs at now; an idle GPU may have dropped it."""
    pcie_generation_max: Reading[int]
    """What the device and this slot can do together."""
    pcie_generation_device: Reading[int]
    pcie_width: Reading[int]
    pcie_width_max: Reading[int]
    pcie_replays: Reading[int]
    throttle_reasons: Mapping[str, Reading[bool]]
    """clocks_event_reason_* or clocks_throttle_reason_*, by the part after it: "gpu_idle",
    "sw_power_cap", "hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown",
    "sync_boost", "sw_thermal_slowdown", "applications_clocks_setting", "display_clocks_setting"."""
    performance_state: Reading[str]
    """"P0" to "P15"."""
    temperature_c: Reading[int]
    temperature_slowdown_c: Reading[int]
    """Absolute limit; drivers that give a margin below it only ("T.Limit") have none."""
    temperature_memory_c: Reading[int]
    temperature_memory_max_c: Reading[int]
    temperature_margin_c: Reading[int]
    """gpu_temp_tlimit: degrees left to the slowdown limit; negative is beyond it."""
    power_draw_w: Reading[float]
    power_limit_w: Reading[float]
    power_limit_default_w: Reading[float]
    power_limit_max_w: Reading[float]
    memory_total_mib: Reading[int]
    memory_used_mib: Reading[int]
    utilization_percent: Reading[int]
    clock_sm_mhz: Reading[int]
    clock_memory_mhz: Reading[int]
    clock_sm_max_mhz: Reading[int]
    clock_memory_max_mhz: Reading[int]
    application_clock_sm_mhz: Reading[int]
    application_clock_memory_mhz: Reading[int]
    fabric_state: Reading[str]
    fabric_status: Reading[str]
    fabric_cluster_uuid: Reading[str]
    fabric_clique_id: Reading[str]
    fabric_health: Mapping[str, Reading[str]]
    """Children of fabric/health, such as "summary", "bandwidth", "route_unhealthy"."""
    confidential_compute: Reading[str]
    virtualization_mode: Reading[str]
    """"None" on bare metal, "Pass-Through", "VGPU" in a guest with a share of a GPU."""
    processes: tuple[SmiProcess, ...]


@dataclass(frozen=True)
class SmiReport:
    """The whole answer."""

    driver_version: Reading[str]
    cuda_version: Reading[str]
    """The newest CUDA that the driver runs natively: "13.0"."""
    attached_gpus: Reading[int]
    timestamp: str
    gpus: tuple[SmiGpu, ...]
    lost: tuple[str, ...] = field(default=())
    """Lines outside the XML that name a GPU which did not answer ("GPU is lost", "Unable to
    determine the device handle for GPU0000:4E:00.0"), as printed."""


class SmiError(ValueError):
    """The text is not an answer of nvidia-smi; the message is one sentence."""
