"""One `<gpu>` element of nvidia-smi's report as a record.

Where a value has several names, the newest driver's comes first. Sources of the older names:
captures of drivers 470 to 580 in public test data (telegraf, k8s-test-infra; read 2026-11-21).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from flightline.gpu.reading import Reading, State
from flightline.gpu.smi_records import SmiGpu, SmiProcess
from flightline.gpu.smi_values import Values
from flightline.gpu.smi_xml import printable

_ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")
_REASON = re.compile(r"clocks_(?:event|throttle)_reason_(\w+)")
_REASON_KINDS = ("event", "throttle")
_SLOWING = (
    "hw_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
    "sw_thermal_slowdown",
)
_CACHES = ("register_file", "l1_cache", "l2_cache", "texture_memory", "texture_shm", "cbu")


def gpu(element: Element) -> SmiGpu:
    """Return the record; whatever is not there is a Reading without a value."""
    values = Values(element)
    return SmiGpu(
        address=address(element.get("id") or values.text("pci/pci_bus_id").raw),
        **_identity(values),
        **_modes(values),
        **_ecc(values),
        **_rows(values),
        **_link(values),
        throttle_reasons=_reasons(values),
        performance_state=values.text(
            "performance_state", "gpu_power_readings/power_state", "power_readings/power_state"
        ),
        **_temperatures(values),
        **_power(values),
        **_load(values),
        **_fabric(values),
        confidential_compute=values.text("confidential_compute", "conf_compute_mode"),
        virtualization_mode=values.text(
            "gpu_virtualization_mode/virtualization_mode", none_is_value=True
        ),
        processes=tuple(_process(Values(each)) for each in element.iterfind("processes/*")),
    )


def address(text: str) -> str:
    """Return "0000:18:00.0" for "00000000:18:00.0"; as it is where it is no PCI address."""
    lower = text.strip().lower()
    found = _ADDRESS.fullmatch(lower)
    if found is None:
        return printable(lower[:64])
    return f"{int(found[1], 16):04x}:{found[2]}:{found[3]}.{found[4]}"


def _identity(values: Values) -> dict[str, Any]:
    return {
        "product_name": values.text("product_name"),
        "architecture": values.text("product_architecture"),
        "serial": values.text("serial"),
        "uuid": values.text("uuid"),
        "vbios_version": values.text("vbios_version"),
        "inforom_image_version": values.text("inforom_version/img_version"),
        "gsp_firmware_version": values.text("gsp_firmware_version"),
        "device_id": _device_id(values.text("pci/pci_device_id")),
    }


def _device_id(found: Reading[str]) -> Reading[str]:
    """From "233010DE" or "0x233010DE": device, then vendor."""
    if found.value is None:
        return found
    digits = re.fullmatch(r"(?:0x)?([0-9a-f]{4})10de", found.value.lower())
    if digits is None:
        return Reading(found.name, State.TROUBLE, raw=found.raw)
    return Reading(found.name, State.VALUE, digits[1], found.raw)


def _modes(values: Values) -> dict[str, Any]:
    return {
        "persistence_mode": values.flag("persistence_mode"),
        "addressing_mode": values.text("addressing_mode", none_is_value=True),
        "compute_mode": values.text("compute_mode"),
        "recovery_action": values.text("gpu_recovery_action", none_is_value=True),
        "mig_current": values.flag("mig_mode/current_mig"),
        "mig_pending": values.flag("mig_mode/pending_mig"),
        "mig_devices": len(tuple(values.children("mig_devices"))),
        "ecc_current": values.flag("ecc_mode/current_ecc"),
        "ecc_pending": values.flag("ecc_mode/pending_ecc"),
    }


def _ecc(values: Values) -> dict[str, Any]:
    exceeded = values.flag("ecc_errors/aggregate/sram_threshold_exceeded")
    counted = {
        f"{memory}_{kind}_{span}": _errors(values, f"ecc_errors/{span}", memory, kind)
        for span in ("volatile", "aggregate")
        for memory in ("sram", "dram")
        for kind in ("correctable", "uncorrectable")
    }
    return {**counted, "sram_threshold_exceeded": exceeded}


def _errors(values: Values, place: str, memory: str, kind: str) -> Reading[int]:
    """Volta and older tell errors by place: `single_bit/l2_cache`; `total` is with the DRAM's."""
    bits = f"{place}/{'single' if kind == 'correctable' else 'double'}_bit"
    newest = f"{place}/{memory}_{kind}"
    if memory == "dram":
        return values.count(newest, f"{bits}/device_memory")
    shown = values.sum(newest, f"{newest}_parity", f"{newest}_secded")
    older = values.sum(*(f"{bits}/{each}" for each in _CACHES))
    return older if shown.state is State.MISSING and older.state is not State.MISSING else shown


def _rows(values: Values) -> dict[str, Any]:
    pages = "retired_pages"
    return {
        "remapped_correctable": values.count("remapped_rows/remapped_row_corr"),
        "remapped_uncorrectable": values.count("remapped_rows/remapped_row_unc"),
        "remap_pending": values.flag("remapped_rows/remapped_row_pending"),
        "remap_failure": values.flag("remapped_rows/remapped_row_failure"),
        "channel_repair_pending": values.flag("ecc_errors/channel_repair_pending"),
        "tpc_repair_pending": values.flag("ecc_errors/tpc_repair_pending"),
        "unrepairable_memory": values.flag("ecc_errors/unrepairable_memory"),
        "retired_single_bit": values.count(f"{pages}/multiple_single_bit_retirement/retired_count"),
        "retired_double_bit": values.count(f"{pages}/double_bit_retirement/retired_count"),
        "retirement_pending": values.flag(
            f"{pages}/pending_retirement", f"{pages}/pending_blacklist"
        ),
    }


def _link(values: Values) -> dict[str, Any]:
    link = "pci/pci_gpu_link_info"
    return {
        "pcie_generation": values.count(f"{link}/pcie_gen/current_link_gen"),
        "pcie_generation_max": values.count(f"{link}/pcie_gen/max_link_gen"),
        "pcie_generation_device": values.count(f"{link}/pcie_gen/max_device_link_gen"),
        "pcie_width": values.count(f"{link}/link_widths/current_link_width"),
        "pcie_width_max": values.count(f"{link}/link_widths/max_link_width"),
        "pcie_replays": values.count("pci/replay_counter"),
    }


def _reasons(values: Values) -> Mapping[str, Reading[bool]]:
    """Before 535 they were called throttle reasons; a vGPU says N/A for all of them at once."""
    there = {
        found[1]: values.flag(f"{place}/{each.tag}")
        for place in ("clocks_throttle_reasons", "clocks_event_reasons")
        for each in values.children(place)
        if (found := _REASON.fullmatch(each.tag))
    }
    absent = {name: values.flag(*_reason_paths(name)) for name in _SLOWING if name not in there}
    return {**absent, **there}


def _reason_paths(name: str) -> tuple[str, ...]:
    return tuple(f"clocks_{kind}_reasons/clocks_{kind}_reason_{name}" for kind in _REASON_KINDS)


def _temperatures(values: Values) -> dict[str, Any]:
    return {
        "temperature_c": values.degrees("temperature/gpu_temp"),
        "temperature_slowdown_c": values.degrees("temperature/gpu_temp_slow_threshold"),
        "temperature_memory_c": values.degrees("temperature/memory_temp"),
        "temperature_memory_max_c": values.degrees("temperature/gpu_temp_max_mem_threshold"),
        "temperature_margin_c": values.degrees("temperature/gpu_temp_tlimit"),
    }


def _power(values: Values) -> dict[str, Any]:
    """`gpu_power_readings` since 530; `module_power_readings` is a superchip's with its CPU."""

    def paths(*names: str) -> Iterator[str]:
        for place in ("gpu_power_readings", "power_readings"):
            yield from (f"{place}/{name}" for name in names)

    drawn = ("instant_power_draw", "power_draw", "average_power_draw")
    limit = ("current_power_limit", "power_limit", "enforced_power_limit")
    return {
        "power_draw_w": values.watts(*paths(*drawn)),
        "power_limit_w": values.watts(*paths(*limit)),
        "power_limit_default_w": values.watts(*paths("default_power_limit")),
        "power_limit_max_w": values.watts(*paths("max_power_limit")),
    }


def _load(values: Values) -> dict[str, Any]:
    return {
        "memory_total_mib": values.count("fb_memory_usage/total"),
        "memory_used_mib": values.count("fb_memory_usage/used"),
        "utilization_percent": values.count("utilization/gpu_util"),
        "clock_sm_mhz": values.count("clocks/sm_clock", "clocks/graphics_clock"),
        "clock_memory_mhz": values.count("clocks/mem_clock"),
        "clock_sm_max_mhz": values.count("max_clocks/sm_clock", "max_clocks/graphics_clock"),
        "clock_memory_max_mhz": values.count("max_clocks/mem_clock"),
        "application_clock_sm_mhz": values.count("applications_clocks/graphics_clock"),
        "application_clock_memory_mhz": values.count("applications_clocks/mem_clock"),
    }


def _fabric(values: Values) -> dict[str, Any]:
    health = (each.tag for each in values.children("fabric/health"))
    return {
        "fabric_state": values.verdict("fabric/state"),
        "fabric_status": values.verdict("fabric/status"),
        "fabric_cluster_uuid": values.text("fabric/clusterUuid", "fabric/cluster_uuid"),
        "fabric_clique_id": values.text("fabric/cliqueId", "fabric/clique_id"),
        "fabric_health": {tag: values.verdict(f"fabric/health/{tag}") for tag in health},
    }


def _process(values: Values) -> SmiProcess:
    return SmiProcess(
        pid=values.count("pid").value or 0,
        kind=values.text("type").raw,
        name=values.text("process_name").raw,
        used_memory_mib=values.count("used_memory"),
    )
