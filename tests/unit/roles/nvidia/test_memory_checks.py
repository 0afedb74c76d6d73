"""ECC, remapped rows and retired pages: what counts, what does not, and what cannot be told."""

from __future__ import annotations

import pytest

from flightline.report.record import Outcome
from tests.unit.roles.nvidia.recorded import alarms, finding


def test_errors_of_a_gpu_s_whole_life_are_no_alarm() -> None:
    lived = ("smi", r"(?s)(<aggregate>(?:(?!</aggregate>).)*<dram_(?:un)?correctable>)0", r"\g<1>7")
    assert not alarms(lived)


def test_four_sram_errors_in_a_life_pass_and_the_gpu_s_own_threshold_fails() -> None:
    errors = r"(?s)(<aggregate>(?:(?!</aggregate>).)*<sram_uncorrectable_parity>)0"
    assert not alarms(("smi", errors, r"\g<1>4"))
    exceeded = ("smi", "<sram_threshold_exceeded>No", "<sram_threshold_exceeded>Yes")
    assert set(alarms(exceeded)) == {"nvidia-ecc-sram-threshold"}


def test_parity_and_secded_errors_are_added() -> None:
    parity = r"(?s)(<aggregate>(?:(?!</aggregate>).)*<sram_uncorrectable_parity>)0"
    secded = r"(?s)(<aggregate>(?:(?!</aggregate>).)*<sram_uncorrectable_secded>)0"
    both = (("smi", parity, r"\g<1>3"), ("smi", secded, r"\g<1>2"))
    outcome, said = finding("nvidia-ecc-sram-threshold", *both)
    assert outcome is Outcome.FAIL
    assert "5 uncorrectable SRAM errors" in said


def test_a_bad_count_is_told_even_where_another_cannot_be_read() -> None:
    bad = ("smi", r"(?s)(<volatile>(?:(?!</volatile>).)*<sram_uncorrectable_parity>)0", r"\g<1>1")
    blind = ("smi", "(<dram_uncorrectable>)0", r"\g<1>Unknown Error")
    assert finding("nvidia-ecc-uncorrectable", bad, blind)[0] is Outcome.FAIL
    assert finding("nvidia-ecc-uncorrectable", blind)[0] is Outcome.UNKNOWN


def test_ecc_off_is_told_once_and_its_counters_are_not_missed() -> None:
    off = ("smi", "<(current|pending)_ecc>Enabled", r"<\1_ecc>Disabled")
    silent = ("smi", r"<([sd]ram_\w+)>[^<]*", r"<\1>N/A")
    assert set(alarms(off, silent)) == {"nvidia-ecc-enabled"}
    assert not alarms(off, silent, ecc=False)


def test_ecc_on_without_counters_is_unknown() -> None:
    silent = ("smi", r"<(dram_uncorrectable)>[^<]*", r"<\1>N/A")
    assert finding("nvidia-ecc-uncorrectable", silent)[0] is Outcome.UNKNOWN


def test_geforce_is_asked_for_ecc_only_where_that_is_declared() -> None:
    assert finding("nvidia-ecc-enabled", name="rtx_4090")[0] is Outcome.NOT_APPLICABLE
    assert finding("nvidia-ecc-enabled", name="rtx_4090", ecc=True)[0] is Outcome.FAIL


def test_a_gpu_switched_to_ecc_waits_for_its_reset_as_one_alarm() -> None:
    assert set(alarms(("smi", "<current_ecc>Enabled", "<current_ecc>Disabled"))) == {
        "nvidia-ecc-enabled"
    }


@pytest.mark.parametrize(("rows", "outcome"), [("512", Outcome.PASS), ("513", Outcome.FAIL)])
def test_512_remapped_rows_are_the_most(rows: str, outcome: Outcome) -> None:
    edit = ("smi", "<remapped_row_unc>0", f"<remapped_row_unc>{rows}")
    assert finding("nvidia-remap-exhausted", edit)[0] is outcome


def test_rows_that_a_gpu_with_mig_does_not_tell_are_unknown() -> None:
    silent = ("smi", r"<(remapped_row_\w+)>[^<]*", r"<\1>N/A")
    assert finding("nvidia-remap-pending", silent, name="a100_mig")[0] is Outcome.UNKNOWN


def test_volta_has_pages_and_no_rows_and_hopper_the_reverse() -> None:
    assert finding("nvidia-remap-pending", name="v100")[0] is Outcome.NOT_APPLICABLE
    assert finding("nvidia-pages-retired", name="v100")[0] is Outcome.PASS
    assert finding("nvidia-pages-retired", name="h100")[0] is Outcome.NOT_APPLICABLE


def test_pages_of_both_causes_are_added() -> None:
    single = (
        "smi",
        r"(<multiple_single_bit_retirement>\s*<retired_count>)\d+",
        r"\g<1>40",
    )
    double = ("smi", r"(<double_bit_retirement>\s*<retired_count>)\d+", r"\g<1>21")
    outcome, said = finding("nvidia-pages-retired", single, double, name="v100")
    assert outcome is Outcome.FAIL
    assert "61 retired pages" in said


def told(what: str) -> tuple[str, str, str]:
    return ("smi", r"(<ecc_errors>)", rf"\1<{what}>Yes</{what}>")


@pytest.mark.parametrize(
    ("what", "check", "words"),
    [
        ("channel_repair_pending", "nvidia-remap-pending", "a memory channel whose repair waits"),
        ("tpc_repair_pending", "nvidia-remap-pending", "a group of cores (TPC) whose repair waits"),
        ("unrepairable_memory", "nvidia-remap-failure", "a fault in its memory beyond repair"),
    ],
)
def test_what_newer_drivers_tell_of_repairs_is_judged(what: str, check: str, words: str) -> None:
    found = alarms(told(what))
    assert set(found) == {check}
    assert words in found[check]


def test_a_repair_that_cannot_be_asked_for_is_unknown_and_one_not_reported_is_not() -> None:
    what = "tpc_repair_pending"
    broken = ("smi", r"(<ecc_errors>)", rf"\1<{what}>Unknown Error</{what}>")
    assert finding("nvidia-remap-pending", broken)[0] is Outcome.UNKNOWN
    absent = ("smi", r"(<ecc_errors>)", rf"\1<{what}>N/A</{what}>")
    assert finding("nvidia-remap-pending", absent)[0] is Outcome.PASS


@pytest.mark.parametrize("device", ["2230", "0000"])
def test_workstation_cards_come_with_ecc_off_too(device: str) -> None:
    card = (
        ("smi", "<product_name>[^<]*", "<product_name>NVIDIA RTX A6000"),
        ("smi", "<pci_device_id>....", f"<pci_device_id>{device}"),
        ("smi", "<(current|pending)_ecc>Enabled", r"<\1_ecc>Disabled"),
    )
    assert finding("nvidia-ecc-enabled", *card, name="l40s")[0] is Outcome.NOT_APPLICABLE
    assert finding("nvidia-ecc-enabled", *card, name="l40s", ecc=True)[0] is Outcome.FAIL
    server = ("smi", "<product_name>[^<]*", "<product_name>NVIDIA RTX PRO 9 Server Edition")
    assert finding("nvidia-ecc-enabled", card[2], server, name="l40s")[0] is Outcome.FAIL
