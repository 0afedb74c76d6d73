"""How GPUs run: heat, power, clocks and who holds them."""

from __future__ import annotations

import pytest

from flightline.report.record import Outcome
from tests.unit.roles.nvidia.recorded import alarms, finding

OLD_NAMES = (
    ("smi", "clocks_event_reason", "clocks_throttle_reason"),
    ("smi", "<driver_version>[^<]*", "<driver_version>525.147.05"),
)


def active(reason: str) -> tuple[str, str, str]:
    return ("smi", rf"(reason_{reason}>)Not Active", r"\1Active")


@pytest.mark.parametrize("harmless", ["sw_power_cap", "sync_boost", "display_clocks_setting"])
def test_reasons_that_are_no_trouble_are_no_alarm(harmless: str) -> None:
    assert not alarms(active(harmless))


@pytest.mark.parametrize(
    ("reason", "check"),
    [
        ("hw_slowdown", "nvidia-throttle-hardware"),
        ("hw_thermal_slowdown", "nvidia-throttle-thermal"),
        ("sw_thermal_slowdown", "nvidia-throttle-thermal"),
        ("hw_power_brake_slowdown", "nvidia-throttle-power-brake"),
    ],
)
def test_each_reason_that_slows_a_gpu_is_told_by_name(reason: str, check: str) -> None:
    found = alarms(active(reason))
    assert set(found) == {check}
    assert reason in found[check]


def test_the_names_of_drivers_before_535_are_understood() -> None:
    assert finding("nvidia-throttle-hardware", *OLD_NAMES)[0] is Outcome.PASS
    slowed = active("hw_slowdown")
    assert finding("nvidia-throttle-hardware", *OLD_NAMES, slowed)[0] is Outcome.FAIL


def test_reasons_that_are_not_reported_are_unknown() -> None:
    gone = ("smi", r"(?s)<clocks_event_reasons>.*?</clocks_event_reasons>", "")
    assert finding("nvidia-throttle-thermal", gone)[0] is Outcome.UNKNOWN


def test_a_gpu_with_no_degree_left_and_none_beyond_is_not_yet_too_hot() -> None:
    left = r"<gpu_temp_tlimit>[^<]*"
    assert finding("nvidia-temperature-limit", ("smi", left, "<gpu_temp_tlimit>0 C"))[0] == "pass"
    assert finding("nvidia-temperature-limit", ("smi", left, "<gpu_temp_tlimit>-1 C"))[0] == "fail"


def test_without_any_limit_heat_is_unknown() -> None:
    silent = ("smi", r"<gpu_temp_(\w+)>[^<]*", r"<gpu_temp_\1>N/A")
    assert finding("nvidia-temperature-limit", silent)[0] is Outcome.UNKNOWN


def test_a_gpu_without_a_memory_sensor_is_not_asked() -> None:
    assert finding("nvidia-temperature-memory", name="l40s")[0] is Outcome.NOT_APPLICABLE


def test_a_declared_power_limit_is_met_exactly() -> None:
    lower = ("smi", "<current_power_limit>700.00", "<current_power_limit>600.00")
    assert finding("nvidia-power-limit", lower, power_limit_watts=600)[0] is Outcome.PASS
    outcome, said = finding("nvidia-power-limit", power_limit_watts=600)
    assert outcome is Outcome.FAIL
    assert "expected 600 W (NvidiaSettings.power_limit_watts)" in said


def test_more_than_the_default_power_is_no_alarm() -> None:
    higher = ("smi", "<default_power_limit>700.00", "<default_power_limit>650.00")
    assert finding("nvidia-power-limit", higher)[0] is Outcome.PASS


def test_an_error_in_place_of_the_power_is_a_broken_gpu() -> None:
    broken = ("smi", r"<((?:average|instant)_power_draw)>[^<]*", r"<\1>Unknown Error")
    outcome, said = finding("nvidia-power-reported", broken)
    assert outcome is Outcome.FAIL
    assert "'Unknown Error'" in said


def test_declared_clocks_are_judged_and_undeclared_ones_not() -> None:
    assert finding("nvidia-clocks-applied")[0] is Outcome.NOT_APPLICABLE
    outcome, said = finding(
        "nvidia-clocks-applied", application_clocks={"memory_mhz": 2619, "graphics_mhz": 1500}
    )
    assert outcome is Outcome.FAIL
    assert "has 1980 MHz as graphics application clock, expected 1500 MHz" in said


def test_memory_that_a_process_holds_is_no_leftover() -> None:
    used = ("smi", r"(?s)(<fb_memory_usage>(?:(?!</fb).)*<used>)\d+", r"\g<1>70000")
    process = (
        "smi",
        r"<processes>\s*</processes>|<processes ?/>",
        "<processes><process_info><pid>7</pid><type>C</type><process_name>vllm</process_name>"
        "<used_memory>69000 MiB</used_memory></process_info></processes>",
    )
    assert not alarms(used, process)
    assert set(alarms(used)) == {"nvidia-memory-free"}
