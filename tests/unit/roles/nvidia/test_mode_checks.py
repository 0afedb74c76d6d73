"""Modes: persistence, compute mode, MIG as declared, addressing beside Grace."""

from __future__ import annotations

import pytest

from flightline.report.record import Outcome
from tests.unit.roles.nvidia.recorded import alarms, finding


def test_persistence_may_be_declared_off() -> None:
    off = ("smi", "<persistence_mode>Enabled", "<persistence_mode>Disabled")
    assert set(alarms(off)) == {"nvidia-persistence-enabled"}
    assert not alarms(off, persistence=False)


@pytest.mark.parametrize("mode", ["Exclusive_Process", "Prohibited"])
def test_a_gpu_that_takes_fewer_processes_fails(mode: str) -> None:
    edit = ("smi", "<compute_mode>Default", f"<compute_mode>{mode}")
    assert set(alarms(edit)) == {"nvidia-compute-mode"}


def test_mig_that_nobody_declared_is_left_as_it_is() -> None:
    assert finding("nvidia-mig-mode", name="a100_mig", mig=None)[0] is Outcome.PASS
    assert finding("nvidia-mig-mode", name="a100", mig=None)[0] is Outcome.PASS


def test_mig_declared_off_and_found_on_fails_and_explains_the_layout() -> None:
    found = alarms(name="a100_mig", mig=())
    assert set(found) == {"nvidia-mig-mode"}
    assert "has MIG on, expected off (NvidiaSettings.mig)" in found["nvidia-mig-mode"]


def test_mig_declared_on_and_found_off_is_one_alarm() -> None:
    assert set(alarms(name="a100", mig=("3g.40gb", "3g.40gb"))) == {"nvidia-mig-mode"}


def test_other_mig_devices_than_declared_fail_with_both_named() -> None:
    outcome, said = finding("nvidia-mig-layout", name="a100_mig", mig=("3g.40gb", "4g.40gb"))
    assert outcome is Outcome.FAIL
    assert "has MIG devices 3g.40gb, 3g.40gb, expected 3g.40gb, 4g.40gb" in said


def test_the_order_of_declared_mig_devices_does_not_matter() -> None:
    first = ("mig", r"MIG 3g.40gb     Device  0", "MIG 4g.40gb     Device  0")
    found = finding("nvidia-mig-layout", first, name="a100_mig", mig=("3g.40gb", "4g.40gb"))
    assert found[0] is Outcome.PASS


def test_mig_devices_that_cannot_be_listed_are_unknown() -> None:
    gone = ("mig", r"(?s)\A.+", "")
    assert finding("nvidia-mig-layout", gone, name="a100_mig")[0] is Outcome.UNKNOWN


def test_a_gpu_without_mig_is_not_asked_for_it() -> None:
    assert finding("nvidia-mig-mode", name="l40s")[0] is Outcome.NOT_APPLICABLE


def test_mig_declared_on_a_gpu_that_has_none_fails() -> None:
    outcome, said = finding("nvidia-mig-mode", name="l40s", mig=("1g.10gb",))
    assert outcome is Outcome.FAIL
    assert "reports no MIG, expected it on (NvidiaSettings.mig)" in said


def test_a_card_that_could_have_mig_and_reports_none_is_no_alarm() -> None:
    silent = ("smi", "<(current|pending)_mig>[^<]*", r"<\1_mig>N/A")
    assert finding("nvidia-mig-mode", silent)[0] is Outcome.NOT_APPLICABLE


def test_only_gpus_beside_grace_need_ats() -> None:
    assert finding("nvidia-addressing-mode", name="h100")[0] is Outcome.PASS
    hmm = ("smi", "<addressing_mode>ATS", "<addressing_mode>HMM")
    assert finding("nvidia-addressing-mode", hmm, name="gb200")[0] is Outcome.FAIL


def test_mig_that_is_on_without_a_device_leaves_nothing_to_compute_on() -> None:
    bare = ("smi", r"(?s)<mig_devices>.*?</mig_devices>", "<mig_devices>None</mig_devices>")
    outcome, said = finding("nvidia-mig-mode", bare, name="a100_mig", mig=None)
    assert outcome is Outcome.FAIL
    assert "has MIG on and no MIG device" in said
