"""What acceptance programs print, read back; samples of real machines where they are present."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.gpu.load import results
from flightline.gpu.load.results import ResultError

SAMPLES = Path(__file__).parents[5] / "shared" / "samples"
present = pytest.mark.skipif(not SAMPLES.is_dir(), reason="captures of real machines are not here")
SIZE = 8 * 1024**3


def nvbandwidth(*cases: Mapping[str, object], **top: object) -> str:
    return "a warning\n" + json.dumps({"nvbandwidth": {"testcases": list(cases), **top}})


def test_copies_are_read_by_test_and_cell() -> None:
    case = {
        "name": "device_to_device_memcpy_read_ce",
        "status": "Passed",
        "bandwidth_matrix": [["N/A", "396.1"], ["395.8", "N/A"]],
    }
    assert results.copies(nvbandwidth(case)) == {case["name"]: ((None, 396.1), (395.8, None))}


def test_a_waived_test_is_left_out() -> None:
    assert results.copies(nvbandwidth({"name": "d2d", "status": "Waived"})) == {}


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        (nvbandwidth({"name": "d2d", "status": "Error"}), "nvbandwidth d2d: Error"),
        (nvbandwidth(error="CUDA_ERROR_SYSTEM_NOT_READY"), "nvbandwidth says: CUDA_ERROR"),
        (
            nvbandwidth({"name": "x", "status": "Passed", "bandwidth_matrix": [["fast"]]}),
            "nvbandwidth printed 'fast'",
        ),
        ("{}", "no list of testcases"),
        ("killed", "no whole JSON"),
        ('{"nvbandwidth": {"testcases": [{"name"', "no whole JSON"),
    ],
)
def test_copies_that_were_not_measured_are_an_error(printed: str, why: str) -> None:
    with pytest.raises(ResultError, match=why):
        results.copies(printed)


@present
def test_busbw_is_taken_at_one_size_and_not_from_the_average() -> None:
    log = (SAMPLES / "nccl-tests-allreduce.superbench.log").read_text()
    found = results.collective(log, SIZE)
    assert (found.size_bytes, found.busbw_gbps, found.wrong) == (SIZE, 235.26, 0)


def test_wrong_elements_are_counted_on_both_sides() -> None:
    line = f"{SIZE} 2147483648 float sum -1 31250 274.8 480.9 3 31240 274.9 481.0 1"
    found = results.collective(line, SIZE)
    assert (found.busbw_gbps, found.wrong) == (481.0, 4)


def test_a_run_without_the_size_is_an_error() -> None:
    with pytest.raises(ResultError, match="no line for"):
        results.collective("NCCL failure: unhandled system error", SIZE)


def test_a_burn_names_faulty_gpus() -> None:
    progress = "100.0%  proc'd: 16 (603112 Gflop/s) errors: 0"
    printed = f"{progress}\nTested 2 GPUs:\n\tGPU 0: OK\n\tGPU 1: FAULTY\n"
    assert [each.is_ok for each in results.burned(printed)] == [True, False]


def test_a_burn_without_a_verdict_is_an_error() -> None:
    with pytest.raises(ResultError):
        results.burned("50.0%  proc'd: 8 (603112 Gflop/s) errors: 0")


def test_samples_under_load_carry_throttle_bits() -> None:
    line = "sample 00000000:18:00.0, 689.21, 64, 1755, 0x0000000000000044"
    (found,) = results.samples(f"burning\n{line}\nsample junk\n")
    assert (found.address, found.power_w, found.temperature_c) == ("0000:18:00.0", 689.21, 64)
    assert found.throttle_bits == 0x44


def test_an_unread_power_is_none_and_no_number() -> None:
    (found,) = results.samples("sample 00000000:18:00.0, [N/A], 64, nan, [N/A]")
    assert (found.power_w, found.clock_sm_mhz, found.throttle_bits) == (None, None, None)


@present
def test_both_layouts_of_dcgm_are_read() -> None:
    old = (SAMPLES / "dcgmi-diag-r3-v3format.virtualclient.json").read_text()
    found = results.diagnoses(old)
    assert {each.status.lower() for each in found} <= {"pass", "skip", "fail", "warn"}
    assert "PCIe" in {each.test for each in found}


def test_dcgm_4_warnings_are_told() -> None:
    test = {
        "name": "memory_bandwidth",
        "results": [{"status": "Fail", "warnings": [{"warning": "GPU 3 too slow"}]}],
    }
    printed = json.dumps({"DCGM Diagnostic": {"test_categories": [{"tests": [test]}]}})
    (found,) = results.diagnoses(printed)
    assert (found.test, found.status, found.detail) == (
        "memory_bandwidth",
        "Fail",
        "GPU 3 too slow",
    )


def test_a_diagnostic_that_could_not_run_is_an_error() -> None:
    with pytest.raises(ResultError, match="host engine"):
        results.diagnoses('{"DCGM Diagnostic": {"runtime_error": "no host engine"}}')


def test_rates_are_read_by_gpu() -> None:
    gpu = {"name": "NVIDIA H200", "memory_gbps": 4100.5, "bf16_tflops": 690.1}
    (found,) = results.rates("warning: x\n" + json.dumps({"gpus": [gpu]}))
    assert (found.name, found.memory_gbps, found.bf16_tflops) == ("NVIDIA H200", 4100.5, 690.1)


READERS = (results.copies, results.rates, results.burned, results.diagnoses)


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_junk_is_an_error_and_never_a_crash(junk: str) -> None:
    assert isinstance(results.samples(junk), tuple)
    for read in READERS:
        with pytest.raises(ResultError):
            read(junk)
