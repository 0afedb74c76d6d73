"""The parts of one GPU in nvidia-smi's report, as (tag, value or children), by driver branch."""

from __future__ import annotations

from typing import Any, TypeAlias

from tests.machines.models import Build

Nodes: TypeAlias = "tuple[tuple[str, Any], ...]"

NONE = "N/A"
_REASONS = [
    "gpu_idle",
    "applications_clocks_setting",
    "sw_power_cap",
    "hw_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
    "sync_boost",
    "sw_thermal_slowdown",
    "display_clocks_setting",
]
_PLACES = [
    "device_memory",
    "register_file",
    "l1_cache",
    "l2_cache",
    "texture_memory",
    "texture_shm",
    "cbu",
]


def top(build: Build, index: int) -> Nodes:
    """Return what comes before the memory errors."""
    model, branch = build.model, build.branch
    mode = ("Enabled" if build.mig else "Disabled") if model.has_mig else NONE
    return (
        ("product_name", model.product),
        ("product_brand", "NVIDIA"),
        *since(branch >= 495, ("product_architecture", model.architecture)),
        ("display_active", "Disabled"),
        ("persistence_mode", "Enabled"),
        *since(branch >= 525, ("addressing_mode", model.addressing)),
        ("mig_mode", (("current_mig", mode), ("pending_mig", mode))),
        ("mig_devices", _mig(build)),
        ("serial", f"16500000000{index:02}" if model.inforom != NONE else NONE),
        ("uuid", f"GPU-{index:08x}-1111-2222-3333-444444444444"),
        ("minor_number", str(index)),
        ("vbios_version", model.vbios),
        ("inforom_version", (("img_version", model.inforom), ("pwr_object", NONE))),
        *_reset(branch),
        ("gsp_firmware_version", build.driver if model.device != "1db5" else NONE),
        ("pci", _pci(build, index)),
        ("fan_speed", NONE),
        ("performance_state", "P0"),
        *_reasons(branch),
        ("fb_memory_usage", _memory(model.memory_mib)),
        ("compute_mode", "Default"),
        ("utilization", (("gpu_util", NONE if build.mig else "0 %"),)),
    )


def ecc(build: Build) -> Nodes:
    """Return ECC, its errors, retired pages and remapped rows."""
    model = build.model
    rows = (
        ("remapped_row_corr", "0"),
        ("remapped_row_unc", "0"),
        ("remapped_row_pending", "No"),
        ("remapped_row_failure", "No"),
    )
    retires = model.ecc == "Enabled" and not model.has_rows
    count, waits = ("3", "No") if retires else (NONE, NONE)
    kinds = ("multiple_single_bit_retirement", "double_bit_retirement")
    pages = tuple((kind, (("retired_count", count), ("retired_pagelist", ""))) for kind in kinds)
    pending = (("pending_blacklist", waits), ("pending_retirement", waits))
    spans = tuple((span, _errors(build, span)) for span in ("volatile", "aggregate"))
    return (
        ("ecc_mode", (("current_ecc", model.ecc), ("pending_ecc", model.ecc))),
        ("ecc_errors", spans),
        ("retired_pages", (*pages, *pending)),
        ("remapped_rows", rows if model.has_rows else NONE),
    )


def since(there: bool, *nodes: tuple[str, Any]) -> Nodes:
    """Return the nodes where the driver has them."""
    return nodes if there else ()


def _memory(total: int) -> Nodes:
    reserved = 480
    return (
        ("total", f"{total} MiB"),
        ("reserved", f"{reserved} MiB"),
        ("used", "0 MiB"),
        ("free", f"{total - reserved} MiB"),
    )


def _mig(build: Build) -> Any:
    if not build.mig:
        return "None"
    shared = (("multiprocessor_count", "42"), ("copy_engine_count", "3"))
    return tuple(
        (
            "mig_device",
            (
                ("index", str(index)),
                ("gpu_instance_id", str(index + 1)),
                ("compute_instance_id", "0"),
                ("device_attributes", (("shared", shared),)),
                ("fb_memory_usage", _memory(40192)),
            ),
        )
        for index in range(2)
    )


def _reset(branch: int) -> Nodes:
    if branch >= 570:
        return (("gpu_recovery_action", "None"),)
    status = (("reset_required", "No"), ("drain_and_reset_recommended", "No"))
    return (("gpu_reset_status", status),) if branch >= 535 else ()


def _pci(build: Build, index: int) -> Nodes:
    domain, bus, _ = build.addresses[index].upper().split(":")
    generation = str(build.generation)
    generations = [("max_link_gen", generation), ("current_link_gen", generation)]
    if build.branch >= 525:
        generations += [
            ("device_current_link_gen", generation),
            ("max_device_link_gen", str(build.model.generation)),
            ("max_host_link_gen", NONE),
        ]
    widths = (("max_link_width", "16x"), ("current_link_width", "16x"))
    return (
        ("pci_bus", bus),
        ("pci_domain", domain),
        ("pci_device_id", f"{build.model.device.upper()}10DE"),
        ("pci_bus_id", f"0000{build.addresses[index].upper()}"),
        ("pci_sub_system_id", f"{build.model.subsystem.upper()}10DE"),
        ("pci_gpu_link_info", (("pcie_gen", tuple(generations)), ("link_widths", widths))),
        ("replay_counter", str(110 + 7 * index)),
        ("replay_rollover_counter", "0"),
    )


def _reasons(branch: int) -> Nodes:
    word = "event" if branch >= 535 else "throttle"
    shown = tuple(
        (f"clocks_{word}_reason_{name}", "Active" if name == "gpu_idle" else "Not Active")
        for name in _REASONS
    )
    return ((f"clocks_{word}_reasons", shown),)


def _errors(build: Build, span: str) -> Nodes:
    zero = "0" if build.model.ecc == "Enabled" else NONE
    if build.model.architecture == "Volta":
        places = tuple((place, NONE if place == "cbu" else zero) for place in (*_PLACES, "total"))
        return (("single_bit", places), ("double_bit", places))
    split = build.branch >= 550
    names = ["sram_correctable", "dram_correctable", "dram_uncorrectable"]
    names[1:1] = [f"sram_uncorrectable_{x}" for x in ("parity", "secded")] if split else []
    names[1:1] = [] if split else ["sram_uncorrectable"]
    counts = tuple((name, zero) for name in names)
    exceeded = "No" if build.model.ecc == "Enabled" else NONE
    last = since(split and span == "aggregate", ("sram_threshold_exceeded", exceeded))
    return (*counts, *last)
