"""Real reports of others (not part of the project): read, and judged without a false alarm."""

from __future__ import annotations

from pathlib import Path

import pytest

from flightline.audit import runner
from flightline.audit.selection import Selection
from flightline.gpu.smi import SmiReport, parse_smi
from flightline.report.record import CheckResult, Outcome

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"


def sample(name: str) -> Path:
    """The sample of a GPU; skips where the folder is not there."""
    found = sorted(SAMPLES.glob(f"nvidia-smi-qx.{name}*.xml"))
    if not found:
        pytest.skip(f"no real report of a {name} beside the project")
    return found[0]


def parsed(name: str) -> SmiReport:
    return parse_smi(sample(name).read_text(encoding="utf-8"))


def alarms(name: str) -> dict[str, CheckResult]:
    wanted = runner.Wanted(Selection(roles=("nvidia",)))
    node = runner.replay(sample(name), wanted).nodes[0]
    return {each.id: each for each in node.checks if each.is_alarm and not each.needs_the_node}


@pytest.mark.parametrize(
    ("name", "count", "device", "memory_mib"),
    [("h100", 8, "2330", 81559), ("b200", 8, "2901", 183359), ("gb200", 4, "2941", 189471)],
)
def test_a_real_node_is_read_whole(name: str, count: int, device: str, memory_mib: int) -> None:
    report = parsed(name)
    assert (len(report.gpus), report.attached_gpus.value) == (count, count)
    assert {gpu.device_id.value for gpu in report.gpus} == {device}
    assert {gpu.memory_total_mib.value for gpu in report.gpus} == {memory_mib}
    assert not report.lost


def test_the_replays_of_a_healthy_node_are_read_and_no_alarm() -> None:
    assert parsed("h100").gpus[0].pcie_replays.value == 150
    assert not alarms("h100")


def test_a_healthy_rack_node_raises_no_alarm() -> None:
    assert parsed("gb200").gpus[0].fabric_health["bandwidth"].value == "Full"
    assert not alarms("gb200")


def test_only_persistence_is_wrong_with_a_node_that_has_it_off() -> None:
    assert set(alarms("b200")) == {"nvidia-persistence-enabled"}


def test_a_trimmed_report_with_mig_is_no_go_for_the_gpus_that_are_not_listed() -> None:
    report = parsed("a100")
    assert (len(report.gpus), report.attached_gpus.value) == (1, 4)
    assert report.gpus[0].mig_devices == 4
    found = alarms("a100")
    assert found["nvidia-gpu-answering"].outcome is Outcome.FAIL
    assert found["nvidia-remap-pending"].outcome is Outcome.UNKNOWN
