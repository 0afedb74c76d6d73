"""What a check learns of a node's GPUs from the node's answers."""

from __future__ import annotations

from typing import Any

import pytest

from flightline.audit.answers import Answer
from flightline.audit.backend import AnsweredBackend, fresh_host
from flightline.audit.check import NotApplicable, Unknown
from flightline.gpu import evidence
from tests.machines import machine

WHOLE = machine("h100").answers
NO_GPU = Answer(
    evidence.PCI_BUS, 0, b"0000:00:02.0/vendor:0x1af4\n0000:00:02.0/class:0x020000\nend\n"
)
DERIVED = evidence.derived_bus([("0000:19:00.0", "2330"), ("gpu is lost", "")])


def asked(*changes: Answer) -> Any:
    """A host that gives the answers of a healthy node, and these instead."""
    return fresh_host(
        AnsweredBackend("node-1", {**WHOLE, **{each.command: each for each in changes}})
    )


def smi(status: int, stdout: str = "", stderr: str = "") -> Answer:
    return Answer(evidence.SMI, status, stdout.encode(), stderr.encode())


def test_a_healthy_node_gives_its_report_bus_and_log() -> None:
    host = asked()
    assert len(evidence.report(host).gpus) == len(evidence.smi_gpus(host)) == 8
    assert len([each for each in evidence.bus(host) if each.is_nvswitch]) == 4
    assert evidence.kernel_log(host).is_from_boot


def test_a_node_without_a_gpu_on_the_bus_is_not_applicable_whatever_nvidia_smi_says() -> None:
    with pytest.raises(NotApplicable, match="no NVIDIA GPU is on the PCI bus"):
        evidence.report(asked(NO_GPU, smi(127, stderr="sh: nvidia-smi: not found")))


SAID = [
    (127, "sh: 1: nvidia-smi: not found"),
    (9, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."),
    (15, "Unable to determine the device handle for GPU0000:4E:00.0: GPU is lost."),
    (18, "Failed to initialize NVML: Driver/library version mismatch"),
]


@pytest.mark.parametrize(("status", "said"), SAID)
def test_a_silent_nvidia_smi_is_unknown_with_its_own_words(status: int, said: str) -> None:
    for answer in (smi(status, stdout=said), smi(status, stderr=said)):
        with pytest.raises(Unknown) as why:
            evidence.report(asked(answer))
        assert str(why.value) == f"nvidia-smi ended with exit status {status}: {said}"


def test_a_report_that_is_whole_counts_in_spite_of_the_exit_status() -> None:
    whole = WHOLE[evidence.SMI].stdout.decode()
    line = "Unable to determine the device handle for GPU0000:4E:00.0: Unknown Error"
    found = evidence.report(asked(smi(15, whole, line)))
    assert (len(found.gpus), found.lost) == (8, (line,))


def test_a_report_that_is_cut_short_is_unknown() -> None:
    whole = WHOLE[evidence.SMI].stdout.decode()
    with pytest.raises(Unknown, match="its answer is no report: it is cut short"):
        evidence.report(asked(smi(0, whole[:5000])))


def test_a_report_without_a_gpu_is_unknown_where_the_bus_has_one() -> None:
    with pytest.raises(Unknown, match="lists no GPU"):
        evidence.smi_gpus(asked(smi(0, "<nvidia_smi_log></nvidia_smi_log>")))


def test_a_log_that_cannot_be_read_is_unknown() -> None:
    with pytest.raises(Unknown, match="the kernel log is empty or cannot be read"):
        evidence.kernel_log(asked(Answer(evidence.KERNEL_LOG, 0, b"\nend\n")))


def test_a_capture_has_a_report_and_no_bus() -> None:
    host = asked(Answer(evidence.PCI_BUS, 0, DERIVED.encode()))
    assert len(evidence.report(host).gpus) == 8
    listed = evidence.gpus_on_bus(host, or_listed=True)
    assert [(each.address, each.device) for each in listed] == [("0000:19:00.0", "2330")]
    for question in (evidence.bus, evidence.gpus_on_bus):
        with pytest.raises(Unknown, match=r"the PCI bus is not in the capture\."):
            question(host)


def test_a_capture_that_lists_no_gpu_proves_nothing() -> None:
    host = asked(Answer(evidence.PCI_BUS, 0, evidence.derived_bus([]).encode()))
    assert evidence.gpus_on_bus(host, or_listed=True) == ()
    with pytest.raises(Unknown):
        evidence.gpus_on_bus(host)
