"""nvidia-smi's report as records: every dialect, and nothing unread is taken for good.

The oracle is the description that the document was written from (tests/machines/models.py), or the
literal text in the document.
"""

from __future__ import annotations

import itertools

import pytest

from flightline.gpu.reading import Reading, State
from flightline.gpu.smi import SmiGpu, SmiReport, parse_smi
from tests.machines.models import BUILDS
from tests.machines.smi_xml import render, with_value, without_gpu

H100 = render(BUILDS["h100_sxm_8"])
BRANCHES = (470, 515, 525, 535, 550, 570, 580, 590)


def changed(path: str, value: str) -> SmiGpu:
    """The third GPU, with one of its values changed."""
    return parse_smi(with_value(H100, 2, path, value)).gpus[2]


@pytest.mark.parametrize("name", BUILDS)
def test_every_machine_is_read_as_it_was_described(name: str) -> None:
    build, report = BUILDS[name], parse_smi(render(BUILDS[name]))
    assert tuple(gpu.address for gpu in report.gpus) == build.addresses
    assert (report.driver_version.value, report.cuda_version.value) == (build.driver, build.cuda)
    assert report.attached_gpus.value == len(build.addresses)
    for gpu in report.gpus:
        assert gpu.product_name.value == build.model.product
        assert gpu.device_id.value == build.model.device
        assert gpu.memory_total_mib.value == build.model.memory_mib
        assert gpu.power_limit_w.value == gpu.power_limit_max_w.value == build.model.watts
        assert gpu.pcie_generation.value == gpu.pcie_generation_max.value == build.generation
        assert gpu.pcie_width.value == 16
        assert gpu.clock_sm_max_mhz.value == build.model.sm_mhz
        assert gpu.mig_devices == (2 if build.mig else 0)


@pytest.mark.parametrize(("name", "branch"), [*itertools.product(BUILDS, BRANCHES)])
def test_every_driver_from_470_on_is_read_alike(name: str, branch: int) -> None:
    report = parse_smi(render(BUILDS[name], branch=branch))
    newest = parse_smi(render(BUILDS[name], branch=590))
    for gpu, same in zip(report.gpus, newest.gpus, strict=True):
        for field in ("power_draw_w", "power_limit_w", "pcie_width", "ecc_current"):
            assert getattr(gpu, field).value == getattr(same, field).value
        for field in ("sram_uncorrectable_volatile", "dram_uncorrectable_aggregate"):
            assert getattr(gpu, field).value == getattr(same, field).value
        assert gpu.retired_single_bit.value == same.retired_single_bit.value
        assert dict.fromkeys(gpu.throttle_reasons) == dict.fromkeys(same.throttle_reasons)
        assert gpu.throttle_reasons["gpu_idle"].value is True
        assert gpu.throttle_reasons["hw_slowdown"].value is False


def test_what_an_older_driver_does_not_have_is_missing() -> None:
    gpu = parse_smi(render(BUILDS["a100_sxm_8"], branch=470)).gpus[0]
    for reading in (gpu.architecture, gpu.addressing_mode, gpu.recovery_action, gpu.fabric_state):
        assert reading.state is State.MISSING
    assert gpu.sram_threshold_exceeded.state is State.MISSING


def test_the_pages_of_a_volta_are_counted() -> None:
    gpu = parse_smi(render(BUILDS["v100_8"])).gpus[0]
    assert (gpu.retired_single_bit.value, gpu.retired_double_bit.value) == (3, 3)
    assert gpu.retirement_pending.value is False
    assert gpu.remap_pending.state is State.NOT_SUPPORTED


def test_errors_of_a_volta_are_told_apart_by_place() -> None:
    document = render(BUILDS["v100_8"], branch=470)
    for place, count in (("l2_cache", "3"), ("register_file", "2"), ("device_memory", "7")):
        document = with_value(document, 1, f"ecc_errors/volatile/double_bit/{place}", count)
    gpu = parse_smi(document).gpus[1]
    assert gpu.sram_uncorrectable_volatile.value == 5
    assert gpu.dram_uncorrectable_volatile.value == 7
    assert gpu.sram_correctable_volatile.value == 0


def test_parity_and_secded_errors_are_added() -> None:
    document = with_value(H100, 2, "ecc_errors/aggregate/sram_uncorrectable_parity", "2")
    document = with_value(document, 2, "ecc_errors/aggregate/sram_uncorrectable_secded", "3")
    assert parse_smi(document).gpus[2].sram_uncorrectable_aggregate.value == 5


def test_a_sum_of_which_one_part_is_in_trouble_is_in_trouble() -> None:
    gpu = changed("ecc_errors/volatile/sram_uncorrectable_parity", "Unknown Error")
    assert gpu.sram_uncorrectable_volatile.state is State.TROUBLE
    assert gpu.sram_uncorrectable_volatile.value is None


ABSENT = ["N/A", "[N/A]", "Not Supported", "[Not Supported]", "None"]
ABSENT += ["Requested functionality has been deprecated"]
TROUBLE = ["GPU is lost", "[GPU is lost]", "Unknown Error", "GPU requires reset", "ERR!", "many"]
TROUBLE += ["Insufficient Permissions", "-3", "1e9", "99999999999999999999999", "0x10", "12 34"]


@pytest.mark.parametrize("text", ABSENT)
def test_a_value_that_a_device_says_it_lacks_is_not_supported(text: str) -> None:
    reading = changed("fb_memory_usage/total", text).memory_total_mib
    assert reading == Reading("fb_memory_usage/total", State.NOT_SUPPORTED, raw=text)


@pytest.mark.parametrize("text", TROUBLE)
def test_what_is_no_number_is_trouble_and_no_value(text: str) -> None:
    reading = changed("fb_memory_usage/total", text).memory_total_mib
    assert (reading.state, reading.value, reading.raw) == (State.TROUBLE, None, text)


@pytest.mark.parametrize("text", ["", "  ", "\n\t"])
def test_an_empty_element_is_missing(text: str) -> None:
    assert changed("fb_memory_usage/total", text).memory_total_mib.state is State.MISSING


@pytest.mark.parametrize(
    ("text", "number"), [("81559 MiB", 81559), ("81559", 81559), ("0 MiB", 0), ("007 MiB", 7)]
)
def test_a_number_is_read_without_its_unit(text: str, number: int) -> None:
    assert changed("fb_memory_usage/total", text).memory_total_mib.value == number


def test_degrees_may_be_negative() -> None:
    assert changed("temperature/gpu_temp_tlimit", "-3 C").temperature_margin_c.value == -3


def test_a_recovery_action_of_none_means_that_all_is_well() -> None:
    assert changed("gpu_recovery_action", "None").recovery_action.value == "None"
    assert changed("gpu_recovery_action", "GPU Reset").recovery_action.value == "GPU Reset"
    assert changed("gpu_recovery_action", "N/A").recovery_action.value is None


def test_a_fabric_error_is_a_value() -> None:
    assert changed("fabric/status", "Unknown Error").fabric_status.value == "Unknown Error"
    assert changed("fabric/status", "N/A").fabric_status.state is State.NOT_SUPPORTED


def test_children_of_an_element_that_is_not_supported_are_not_supported() -> None:
    start, end = H100.index("<remapped_rows>"), H100.index("</remapped_rows>")
    document = f"{H100[:start]}<remapped_rows>N/A{H100[end:]}"
    first = parse_smi(document).gpus[0]
    assert first.remap_pending == Reading(
        "remapped_rows/remapped_row_pending", State.NOT_SUPPORTED, raw="N/A"
    )


def test_the_device_id_is_the_half_before_the_vendor() -> None:
    assert changed("pci/pci_device_id", "0x233010DE").device_id.value == "2330"
    assert changed("pci/pci_device_id", "23301043").device_id.state is State.TROUBLE


def test_a_wide_domain_is_kept() -> None:
    document = H100.replace('id="00000000:1B:00.0"', 'id="00010000:1B:00.0"')
    assert parse_smi(document).gpus[2].address == "10000:1b:00.0"


def test_processes_are_listed_with_odd_names_too() -> None:
    name = "/opt/a & b <c> \x01"
    process = (
        f"<process_info><pid>77</pid><type>C</type><process_name>{name}</process_name>"
        "<used_memory>1024 MiB</used_memory></process_info>"
    )
    held = parse_smi(H100.replace("<processes>", f"<processes>{process}", 1)).gpus[0].processes
    assert [(each.pid, each.kind, each.name) for each in held] == [(77, "C", "/opt/a & b <c>")]
    assert held[0].used_memory_mib.value == 1024


LOST = [
    "Unable to determine the device handle for GPU0000:4E:00.0: Unknown Error",
    "Unable to determine the device handle for GPU3: 0000:4E:00.0: GPU is lost.  Reboot the "
    "system to recover this GPU",
    "WARNING: infoROM is corrupted at gpu 0000:4E:00.0",
]


@pytest.mark.parametrize("line", LOST)
def test_a_line_about_a_gpu_in_trouble_is_kept_from_before_and_after(line: str) -> None:
    assert parse_smi(f"{line}\n{H100}").lost == (line,)
    assert parse_smi(f"{H100}{line}\n").lost == (line,)


def test_other_lines_around_the_report_do_not_matter() -> None:
    assert parse_smi(f"+ nvidia-smi -q -x\n{H100}\nreal 0m1.2s\n").lost == ()


def test_what_a_terminal_would_obey_is_taken_out() -> None:
    shown = parse_smi(f"GPU is lost \x1b]0;owned\x07 gpu\n{H100}")
    assert shown.lost == ("GPU is lost  ]0;owned  gpu",)
    assert changed("product_name", "NVIDIA \x9b31mH100").product_name.value == "NVIDIA  31mH100"


def test_a_trimmed_report_lists_what_it_has() -> None:
    report: SmiReport = parse_smi(without_gpu(H100, 4))
    assert (report.attached_gpus.value, len(report.gpus)) == (8, 7)


def test_a_supported_clock_list_that_is_malformed_does_not_matter() -> None:
    clocks = "<supported_clocks><supported_mem_clock>5001 MHz</supported_clocks>"
    document = H100.replace("<processes>", f"{clocks}<processes>")
    assert len(parse_smi(document).gpus) == 8
