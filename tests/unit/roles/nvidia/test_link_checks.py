"""PCIe: width always, generation only of GPUs that work, replays beside those of the peers."""

from __future__ import annotations

from flightline.report.record import Outcome
from tests.unit.roles.nvidia.recorded import Edit, alarms, finding

IDLE: Edit = ("smi", "<performance_state>P0", "<performance_state>P8")
SLOW: Edit = ("smi", "<current_link_gen>5", "<current_link_gen>1")


def test_a_resting_link_is_not_judged_and_does_not_pass() -> None:
    outcome, proof = finding("nvidia-pcie-generation", IDLE, SLOW)
    assert outcome is Outcome.NOT_APPLICABLE
    assert "idle" in proof
    assert finding("nvidia-pcie-generation", SLOW)[0] is Outcome.FAIL


def test_one_working_gpu_with_a_slow_link_fails_among_resting_ones() -> None:
    first = ("smi", r"(?s)\A(.*?<performance_state>)P8", r"\1P0")
    outcome, said = finding("nvidia-pcie-generation", IDLE, SLOW, first)
    assert outcome is Outcome.FAIL
    assert said.startswith("GPU 0 (0000:19:00.0) runs PCIe generation 1 in P0, expected 5")


def test_width_is_judged_even_when_idle() -> None:
    narrow = ("smi", "<current_link_width>16x", "<current_link_width>8x")
    assert finding("nvidia-pcie-width", IDLE, narrow)[0] is Outcome.FAIL


def test_gb200_in_a_generation_5_slot_is_as_it_must_be() -> None:
    assert finding("nvidia-pcie-slot", name="gb200")[0] is Outcome.PASS


def test_a_generation_4_slot_is_a_warning_of_the_slot_alone() -> None:
    edits = [
        ("smi", f"<({kind})_link_gen>5", r"<\1_link_gen>4")
        for kind in ("max", "current", "device_current")
    ]
    assert set(alarms(*edits)) == {"nvidia-pcie-slot"}


def test_replays_are_compared_with_the_peers() -> None:
    busy = ("smi", r"<replay_counter>\d+", "<replay_counter>174")
    assert finding("nvidia-pcie-replays", busy)[0] is Outcome.PASS
    all_many = ("smi", r"<replay_counter>\d+", "<replay_counter>60000")
    assert finding("nvidia-pcie-replays", all_many)[0] is Outcome.PASS
    one_many = ("smi", r"(?s)\A(.*?<replay_counter>)\d+", r"\g<1>60000")
    outcome, said = finding("nvidia-pcie-replays", busy, one_many)
    assert outcome is Outcome.FAIL
    assert "60000 PCIe replays, its peers 174 (median), expected at most 1740" in said


def test_a_single_gpu_has_no_peers_to_be_compared_with() -> None:
    assert finding("nvidia-pcie-replays", name="rtx_4090")[0] is Outcome.NOT_APPLICABLE


def test_a_width_that_is_not_reported_is_unknown() -> None:
    silent = ("smi", "<max_link_width>16x", "<max_link_width>N/A")
    assert finding("nvidia-pcie-width", silent)[0] is Outcome.UNKNOWN


def test_cards_that_clouds_have_in_narrow_slots_may_run_on_8_lanes_and_no_fewer() -> None:
    for lanes, outcome in (("8", Outcome.PASS), ("4", Outcome.FAIL)):
        narrow = ("smi", "<current_link_width>16x", f"<current_link_width>{lanes}x")
        assert finding("nvidia-pcie-width", narrow, name="l40s")[0] is outcome
