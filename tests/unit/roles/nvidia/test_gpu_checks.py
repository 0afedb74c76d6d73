"""GPUs that are gone, that are others than declared, and reports that say little."""

from __future__ import annotations

import re

import pytest

from flightline.audit.answers import text
from flightline.gpu.evidence import SMI
from flightline.report.record import Outcome
from tests.machines import machine
from tests.machines.models import BUILDS
from tests.unit.roles.nvidia.recorded import SAMPLES, Edit, alarms, finding, of_capture

LOSE_FIRST: Edit = ("smi", r"(?s)\A(.*?<gpu id=(?:(?!</gpu>).)*?<uuid>)[^<]*", r"\1GPU is lost")
STRANGER: Edit = ("smi", "<pci_device_id>....", "<pci_device_id>0000")


@pytest.mark.parametrize("name", BUILDS)
def test_a_sound_machine_raises_no_alarm(name: str) -> None:
    assert not alarms(name=name)


@pytest.mark.parametrize(
    ("sample", "true_findings"),
    [
        ("h100.k8s-test-infra", set()),
        ("b200.k8s-test-infra", {"nvidia-persistence-enabled"}),
        ("gb200.k8s-test-infra", set()),
    ],
)
def test_a_real_capture_raises_no_false_alarm(sample: str, true_findings: set[str]) -> None:
    path = SAMPLES / f"nvidia-smi-qx.{sample}.xml"
    if not path.is_file():
        pytest.skip(f"{path} is not there: captures are not part of the project")
    assert set(of_capture(path)) == true_findings


def test_a_trimmed_capture_fails_the_count_of_its_own_header() -> None:
    path = SAMPLES / "nvidia-smi-qx.a100-sxm4-80gb-x4-mig.telegraf.xml"
    if not path.is_file():
        pytest.skip(f"{path} is not there: captures are not part of the project")
    found = of_capture(path)
    assert "lists 1 GPUs, expected the 4" in found["nvidia-gpu-answering"]


def test_a_lost_gpu_is_one_alarm_and_the_others_are_still_judged() -> None:
    found = alarms(LOSE_FIRST)
    assert set(found) == {"nvidia-gpu-answering"}
    assert "GPU 0 (0000:19:00.0)" in found["nvidia-gpu-answering"]


def test_a_gpu_that_still_tells_its_name_and_nothing_else_is_lost() -> None:
    gone = ("smi", r"(?s)(.*<fb_memory_usage>\s*<total>)[^<]*", r"\1GPU is lost")
    found = alarms(gone)
    assert set(found) == {"nvidia-gpu-answering"}
    assert "GPU 7 (0000:20:00.0) does not answer: 'GPU is lost'" in found["nvidia-gpu-answering"]


def test_a_lost_gpu_hides_no_memory_error_of_another() -> None:
    last = r"(?s)(.*<remapped_row_failure>)No"
    found = alarms(LOSE_FIRST, ("smi", last, r"\1Yes"))
    assert set(found) == {"nvidia-gpu-answering", "nvidia-remap-failure"}
    assert "GPU 7" in found["nvidia-remap-failure"]


def test_a_node_whose_every_gpu_is_lost_is_one_alarm() -> None:
    found = alarms(("smi", "<uuid>[^<]*", "<uuid>GPU is lost"))
    assert set(found) == {"nvidia-smi-answers"}


def test_a_line_beside_the_report_that_names_a_lost_gpu_fails() -> None:
    line = "Unable to determine the device handle for GPU0000:4E:00.0: Unknown Error"
    outcome, said = finding("nvidia-gpu-answering", ("smi", r"\Z", f"\n{line}\n"))
    assert outcome is Outcome.FAIL
    assert "0000:4E:00.0" in said


def test_a_report_cut_short_is_a_failure_of_the_driver_and_nothing_else_passes() -> None:
    assert set(alarms(("smi", r"(?s)</gpu>.*", ""))) == {"nvidia-smi-answers"}
    assert finding("nvidia-ecc-enabled", ("smi", "(?s)</gpu>.*", ""))[0] is Outcome.UNKNOWN


def test_without_a_gpu_on_the_bus_nothing_applies() -> None:
    no_gpu = ("bus", "class:0x0302", "class:0x0106")
    assert not alarms(no_gpu, ("smi", r"(?s)\A.+", "nvidia-smi: not found"))
    outcome, proof = finding("nvidia-remap-failure", no_gpu)
    assert outcome is Outcome.NOT_APPLICABLE
    assert "no NVIDIA GPU is on the PCI bus" in proof


def test_a_gpu_given_to_a_virtual_machine_is_not_missed() -> None:
    away = (("smi", r"(?s)\t<gpu id=\"00000000:20:(?:(?!<gpu ).)*</gpu>\n", ""),)
    less = ("smi", "<attached_gpus>8", "<attached_gpus>7")
    vfio = ("bus", "0000:20:00.0/driver:nvidia", "0000:20:00.0/driver:vfio-pci")
    assert set(alarms(*away, less)) == {"nvidia-gpu-present"}
    assert not alarms(*away, less, vfio, gpu_count=7)


def test_a_gpu_that_answers_with_all_ones_fell_off_the_bus() -> None:
    off = ("bus", "0000:20:00.0/revision:0xa1", "0000:20:00.0/revision:0xff")
    assert set(alarms(off)) == {"nvidia-gpu-present"}


def test_an_unknown_model_is_unknown_once_and_not_taken_for_good() -> None:
    found = alarms(STRANGER, ("smi", "<product_name>[^<]*", "<product_name>NVIDIA Z9"))
    assert set(found) == {"nvidia-gpu-known"}
    assert found["nvidia-gpu-known"].startswith("unknown: all 8 GPUs")


def test_a_model_is_known_by_its_name_where_the_device_id_tells_nothing() -> None:
    assert not alarms(STRANGER, gpu_model="h100_sxm_80")


def test_more_gpus_than_declared_are_wrong_too() -> None:
    outcome, said = finding("nvidia-gpu-count", gpu_count=4)
    assert outcome is Outcome.FAIL
    assert said == "nvidia-smi lists 8 GPUs, expected 4 (NvidiaSettings.gpu_count)"


def test_a_driver_before_570_is_not_blamed_for_what_it_cannot_report() -> None:
    older = ("smi", "<driver_version>580.105.08", "<driver_version>550.163.01")
    silent = ("smi", r"\s*<gpu_recovery_action>None</gpu_recovery_action>", "")
    no_value = ("smi", "<gpu_recovery_action>None", "<gpu_recovery_action>N/A")
    assert finding("nvidia-gpu-recovery", older, silent)[0] is Outcome.NOT_APPLICABLE
    assert finding("nvidia-gpu-recovery", older, no_value)[0] is Outcome.NOT_APPLICABLE
    assert finding("nvidia-gpu-recovery", no_value)[0] is Outcome.UNKNOWN
    assert finding("nvidia-gpu-recovery", silent)[0] is Outcome.UNKNOWN


def test_a_gpu_whose_values_are_errors_does_not_answer_and_that_is_one_alarm() -> None:
    said = re.search(r"(?s)<gpu .*?</gpu>", text(machine("h100").answers[SMI].stdout))
    assert said
    broken = re.sub(r">[^<>\s][^<>]*</(?!uuid|product|pci)", ">Unknown Error</", said[0])
    found = alarms(("smi", re.escape(said[0]), broken))
    assert set(found) == {"nvidia-gpu-answering"}
    assert "does not answer: 'Unknown Error'" in found["nvidia-gpu-answering"]


def test_values_that_a_container_may_not_read_are_unknown_and_no_lost_gpu() -> None:
    denied = (
        "smi",
        r">[^<>\s][^<>]*</(?=\w*(?:ecc|temp|clock|link))",
        ">Insufficient Permissions</",
    )
    assert finding("nvidia-gpu-answering", denied)[0] is Outcome.PASS


def test_what_a_share_of_a_gpu_cannot_see_is_its_host_s() -> None:
    kind = "<virtualization_mode>VGPU</virtualization_mode>"
    share = (
        ("smi", "<uuid>", f"<gpu_virtualization_mode>{kind}</gpu_virtualization_mode><uuid>"),
        ("smi", r"(<fb_memory_usage>\s*<total>)[^<]*", r"\g<1>8192 MiB"),
        ("smi", r"<((?:current|max)_link_\w+|\w+_ecc|[sd]ram_\w+)>[^<]*", r"<\1>N/A"),
        ("smi", r"(?s)(<clocks_event_reasons>).*?(</clocks_event_reasons>)", r"\1N/A\2"),
        ("smi", r"<(\w*power_(?:limit|draw))>[^<]*", r"<\1>N/A"),
    )
    assert not alarms(*share, name="l40s")
    assert finding("nvidia-throttle-thermal", *share, name="l40s")[0] is Outcome.NOT_APPLICABLE
    assert finding("nvidia-ecc-enabled", *share[1:], name="l40s")[0] is Outcome.UNKNOWN
