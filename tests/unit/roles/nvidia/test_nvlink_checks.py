"""NVLink and the fabric: full sets of links, trained GPUs, and machines without either."""

from __future__ import annotations

import pytest

from flightline.report.record import Outcome
from tests.unit.roles.nvidia.recorded import alarms, finding


@pytest.mark.parametrize("word", ["<inactive>", "inActive", "Inactive", "Unknown Error"])
def test_whatever_is_not_a_speed_is_a_link_that_is_down(word: str) -> None:
    outcome, said = finding(
        "nvidia-nvlink-count", ("nvlink", r"(?s)\A(.*?Link 5: )[^\n]*", rf"\1{word}")
    )
    assert outcome is Outcome.FAIL
    assert said == (
        "GPU 0 (0000:19:00.0) has 17 NVLinks up, expected 18 (h100_sxm_80, catalog); down: 5"
    )


def test_a_gpu_that_nvlink_status_leaves_out_is_unknown() -> None:
    gone = ("nvlink", r"(?s)GPU 7: .*", "")
    assert finding("nvidia-nvlink-count", gone)[0] is Outcome.UNKNOWN


def test_no_answer_about_links_is_unknown_and_never_a_pass() -> None:
    assert set(alarms(("nvlink", r"(?s)\A.+", ""))) == {
        "nvidia-nvlink-count",
        "nvidia-nvlink-speed",
    }
    assert finding("nvidia-nvlink-count", ("nvlink", r"(?s)\A.+", ""))[0] is Outcome.UNKNOWN


def test_half_speed_links_are_named_with_what_was_expected() -> None:
    outcome, said = finding(
        "nvidia-nvlink-speed", ("nvlink", r"(?s)\A(.*?Link 5: )26.562", r"\g<1>13.281")
    )
    assert outcome is Outcome.FAIL
    assert "13.281 GB/s, expected 25 GB/s at least (h100_sxm_80, catalog)" in said


def test_cards_without_nvlink_need_none() -> None:
    outcome, proof = finding("nvidia-nvlink-count", name="l40s")
    assert outcome is Outcome.NOT_APPLICABLE
    assert "which has no NVLink" in proof


def test_mig_switches_nvlink_off() -> None:
    down = ("nvlink", r"Link \d+: [^\n]*", "Link 0: <inactive>")
    assert finding("nvidia-nvlink-count", down, name="a100_mig")[0] is Outcome.NOT_APPLICABLE


def test_a_card_without_a_bridge_is_told_from_a_board_whose_links_are_down() -> None:
    down = ("nvlink", r"Link (\d+): [^\n]*", r"Link \1: <inactive>")
    card = ("smi", "(?i)<pci_device_id>20b2", "<pci_device_id>20b5")  # A100 80GB PCIe
    assert finding("nvidia-nvlink-count", down, name="a100")[0] is Outcome.FAIL
    assert finding("nvidia-nvlink-count", down, card, name="a100")[0] is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize("state", ["Not Started", "In Progress"])
def test_a_gpu_that_is_not_trained_is_no_go(state: str) -> None:
    untrained = ("smi", r"<state>Completed", f"<state>{state}")
    outcome, said = finding("nvidia-fabric-trained", untrained, name="b200")
    assert outcome is Outcome.FAIL
    assert f"all 8 GPUs: each is in fabric state '{state}', expected 'Completed'" in said


def test_a_trained_gpu_with_a_failure_status_is_no_go() -> None:
    failed = ("smi", "<status>Success", "<status>Insufficient Resources")
    assert finding("nvidia-fabric-trained", failed)[0] is Outcome.FAIL


def test_an_nvswitch_machine_that_reports_no_fabric_state_is_unknown() -> None:
    silent = ("smi", "<(state|status)>(Completed|Success)", r"<\1>N/A")
    assert finding("nvidia-fabric-trained", silent)[0] is Outcome.UNKNOWN


def test_a_machine_without_nvswitches_needs_no_fabric() -> None:
    assert finding("nvidia-fabric-trained", name="l40s")[0] is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("summary", "Unhealthy"),
        ("route_unhealthy", "True"),
        ("incorrect_configuration", "Incorrect SysGUID"),
    ],
)
def test_each_word_of_the_fabric_s_health_counts(name: str, value: str) -> None:
    sick = ("smi", rf"<{name}>[^<]*", f"<{name}>{value}")
    outcome, said = finding("nvidia-fabric-health", sick, name="gb200")
    assert outcome is Outcome.FAIL
    assert f"reports fabric {name} '{value}'" in said


def test_how_the_fabric_is_cut_up_is_no_fault() -> None:
    assigned = ("smi", "</summary>", "</summary><partition_assigned>True</partition_assigned>")
    assert finding("nvidia-fabric-health", assigned, name="gb200")[0] is Outcome.PASS
