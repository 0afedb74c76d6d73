"""What the checks of the kernel's log conclude."""

from __future__ import annotations

import pytest

from tests.unit.roles.nvidia.host_side import ABSENT, FAIL, PASS, UNKNOWN, Edit, verdict

LATE = ("kernel-log", r"since: \[ +0\.000000\]", "since: [  5120.330000]")
NARROW = (
    "{gpu}: 126.024 Gb/s available PCIe bandwidth, limited by {speed} GT/s PCIe x{lanes} link at "
    "{port} (capable of 504.112 Gb/s with 32.0 GT/s PCIe x16 link)"
)


def logged(*said: str) -> Edit:
    """Lines more at the end of the log."""
    lines = "".join(f"[  912.114201] gpu-01 kernel: {line}\n" for line in said)
    return ("kernel-log", r"^end$", f"{lines}end".replace("\\", r"\\"))


def xid(code: int, said: str = "pid=812, name=python3, Ch 00000008", bus: str = "1b") -> str:
    return f"NVRM: Xid (PCI:0000:{bus}:00): {code}, {said}"


# NVIDIA's Xid catalog (read 2026-11-20): what each asks for.
@pytest.mark.parametrize("code", [48, 62, 64, 74, 95, 119, 120, 140])
def test_an_xid_that_asks_for_a_reset_is_no_go(code: int) -> None:
    outcome, message = verdict("nvidia-xid-critical", logged(xid(code)))
    assert outcome is FAIL
    assert f"Xid {code} (" in message
    assert "on 0000:1b:00.0" in message


@pytest.mark.parametrize("code", [13, 31, 43, 45, 94])
def test_an_xid_that_ends_an_application_is_a_warning(code: int) -> None:
    assert verdict("nvidia-xid-critical", logged(xid(code)))[0] is PASS
    assert verdict("nvidia-xid-application", logged(xid(code)))[0] is FAIL


def test_an_xid_that_nobody_explained_is_no_go() -> None:
    outcome, message = verdict("nvidia-xid-critical", logged(xid(997)))
    assert outcome is FAIL
    assert "not in the catalog" in message


def test_an_xid_79_is_one_alarm_not_two() -> None:
    fallen = logged(xid(79, "GPU has fallen off the bus."))
    assert verdict("nvidia-xid-critical", fallen)[0] is PASS
    assert verdict("nvidia-bus-fallen", fallen)[0] is FAIL


def test_the_last_word_of_a_gpu_on_its_recovery_counts() -> None:
    asks = xid(154, "GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)")
    cured = xid(154, "GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)")
    assert verdict("nvidia-xid-critical", logged(asks))[0] is FAIL
    assert verdict("nvidia-xid-critical", logged(asks, cured))[0] is PASS
    assert verdict("nvidia-xid-critical", logged(cured, asks))[0] is FAIL
    assert verdict("nvidia-xid-application", logged(asks, cured))[0] is PASS


def test_a_line_that_says_fatal_is_believed() -> None:
    said = "NETIR_LINK_EVT {} XC0 i0 Link 5 (0x004505c6 0x00000000 0x00000000)"
    assert verdict("nvidia-xid-critical", logged(xid(149, said.format("Fatal"))))[0] is FAIL


def test_equal_errors_are_counted_and_the_rest_summed_up() -> None:
    many = [xid(48, bus=bus) for bus in ("19", "1a", "1b", "1c", "1d", "1e", "1f")]
    _, message = verdict("nvidia-xid-critical", logged(*many, many[2]))
    assert "on 0000:1b:00.0, 2 times" in message
    assert "and 1 more" in message


@pytest.mark.parametrize("id", ["nvidia-xid-critical", "nvidia-xid-application"])
def test_a_log_that_lost_its_beginning_is_unknown(id: str) -> None:
    outcome, message = verdict(id, LATE)
    assert outcome is UNKNOWN
    assert "begins 5120 s after boot" in message


def test_what_is_left_of_a_log_can_still_be_no_go() -> None:
    assert verdict("nvidia-xid-critical", LATE, logged(xid(48)))[0] is FAIL


def test_a_log_that_cannot_be_read_is_unknown() -> None:
    for id in ("nvidia-xid-critical", "nvidia-sxid-critical", "nvidia-pcie-bandwidth"):
        assert verdict(id, ("kernel-log", r"(?s)\A.*", "\nend\n"))[0] is UNKNOWN


def test_an_sxid_that_says_fatal_is_no_go_and_a_known_harmless_one_is_not() -> None:
    fatal = "nvidia-nvswitch0: SXid (PCI:0000:86:00.0): 20034, Fatal, Link 28 LTSSM Fault Up"
    harmless = "nvidia-nvswitch0: SXid (PCI:0000:86:00.0): 11012, Non-fatal, Link 28 one"
    assert verdict("nvidia-sxid-critical", logged(fatal))[0] is FAIL
    assert verdict("nvidia-sxid-critical", logged(harmless))[0] is PASS


def test_a_node_without_nvswitches_has_no_sxids() -> None:
    outcome, message = verdict("nvidia-sxid-critical", name="l40s")
    assert outcome is ABSENT
    assert "no NVSwitch" in message


@pytest.mark.parametrize(
    ("gpu", "speed", "lanes", "port", "outcome"),
    [
        ("0000:1b:00.0", "32.0", 4, "0000:17:00.0", FAIL),  # lanes lost further up
        ("0000:1b:00.0", "32.0", 8, "0000:1a:01.0", FAIL),  # lanes lost at the GPU's own port
        ("0000:1b:00.0", "16.0", 16, "0000:17:00.0", FAIL),  # slower further up
        ("0000:1b:00.0", "2.5", 16, "0000:1a:01.0", PASS),  # its own link, which may rest
        ("0000:43:00.0", "8.0", 4, "0000:17:00.0", PASS),  # a network card: the fabric role's
    ],
)
def test_a_narrow_way_to_a_gpu_is_a_warning(
    gpu: str, speed: str, lanes: int, port: str, outcome: object
) -> None:
    line = NARROW.format(gpu=f"pci {gpu}", speed=speed, lanes=lanes, port=port)
    assert verdict("nvidia-pcie-bandwidth", logged(line))[0] is outcome
