"""The kernel's own lines, real ones where one is published; see the comments for whose."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.gpu.kernel_log import MOST_LINES, SCRIPT, KernelEvent, Kind, parse_kernel_log

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"


def event(line: str) -> KernelEvent:
    found = parse_kernel_log(f"[   99.500000] {line}\n").events
    assert len(found) == 1, found
    return found[0]


XIDS = [
    ("119, pid=2024380, name=nvidia-smi, Timeout after 6s", 119, "nvidia-smi (2024380)"),
    ("79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.", 79, ""),
    ("79, GPU has fallen off the bus.", 79, ""),
    ("13, pid=1234, Graphics SM Warp Exception", 13, "1234"),
    ("63, Row Remapper: New row marked for remapping, reset gpu to activate.", 63, ""),
    ("45, pid='77', name=my prog, Ch 00000010", 45, "my prog (77)"),
]


@pytest.mark.parametrize(("rest", "code", "process"), XIDS)
def test_an_xid_is_read_with_or_without_its_process(rest: str, code: int, process: str) -> None:
    found = event(f"NVRM: Xid (PCI:0000:9b:00): {rest}")
    assert (found.kind, found.code, found.process) == (Kind.XID, code, process)
    assert (found.address, found.seconds) == ("0000:9b:00.0", 99.5)
    assert found.is_fatal is None


@pytest.mark.parametrize(("word", "is_fatal"), [("Fatal", True), ("Nonfatal", False)])
def test_an_nvlink5_xid_says_whether_it_is_fatal_and_on_which_link(
    word: str, is_fatal: bool
) -> None:
    rest = f"NETIR_LINK_EVT {word} XC0 i0 Link 07 (0x004505c6 0x00000000 0x00000000 0x0 0x0 0x0)"
    found = event(f"NVRM: Xid (PCI:0018:01:00): 149, {rest}")
    assert (found.is_fatal, found.link, found.address) == (is_fatal, 7, "0018:01:00.0")
    assert event(f"NVRM: Xid (PCI:0018:01:00): 149, {rest.replace('07', '-1')}").link == -1


def test_an_sxid_names_its_switch_and_link() -> None:
    line = "SXid (PCI:0000:c2:00.0): 24007, Non-fatal, Link 44 sourcetrack timeout error (First)"
    found = event(f"nvidia-nvswitch0: {line}")
    assert (found.kind, found.code, found.address) == (Kind.SXID, 24007, "0000:c2:00.0")
    assert (found.is_fatal, found.link) == (False, 44)
    assert event("nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 12028, Data {0x0}").is_fatal is None


OTHERS = [
    (
        Kind.BANDWIDTH,
        "pci 0000:18:00.0: 63.008 Gb/s available PCIe bandwidth, limited by 8.0 GT/s PCIe x8 link "
        "at 0000:17:00.0 (capable of 504.112 Gb/s with 32.0 GT/s PCIe x16 link)",
        "0000:18:00.0",
    ),
    (Kind.AER, "pcieport 0000:15:01.0: AER: Corrected error message received", "0000:15:01.0"),
    (Kind.AER, "nvidia 0000:18:00.0: PCIe Bus Error: severity=Corrected", "0000:18:00.0"),
    (Kind.OFF_THE_BUS, "NVRM: GPU 0000:4e:00.0: GPU has fallen off the bus.", "0000:4e:00.0"),
    (Kind.DRIVER, "NVRM: GPU 0000:4e:00.0: RmInitAdapter failed! (0x24:0x72)", "0000:4e:00.0"),
    (Kind.DRIVER, "NVRM: The NVIDIA probe routine failed for 1 device(s).", ""),
    (Kind.DRIVER, "NVRM: API mismatch: the client has the version 550.76, but", ""),
    (Kind.NETWORK, "mlx5_core 0000:29:00.0 eth0: Link down", "0000:29:00.0"),
]


@pytest.mark.parametrize(("kind", "line", "address"), OTHERS)
def test_each_kind_of_line_is_told(kind: Kind, line: str, address: str) -> None:
    found = event(line)
    assert (found.kind, found.address, found.code, found.text) == (kind, address, None, line)


def test_a_message_of_several_lines_is_one_event() -> None:
    # NVSentinel #155, driver 570.158.01
    text = (
        "[ 1843.308145] NVRM: The NVIDIA GPU 0000:b3:00.0\n"
        "               NVRM: (PCI ID: 10de:26b5) installed in this system has\n"
        "               NVRM: fallen off the bus and is not responding to commands.\n"
    )
    found = parse_kernel_log(text).events
    assert [(each.kind, each.address, each.seconds) for each in found] == [
        (Kind.OFF_THE_BUS, "0000:b3:00.0", 1843.308145)
    ]


QUIET = [
    "NVRM: GPU at PCI:0000:9b:00: GPU-509665ad-b600-ac93-3616-d754b23d636d",
    "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.105.08  Release Build",
    "usb 1-1: new high-speed USB device",
    "NVRM: Xid (PCI:0000:9b:00): ",
]


@pytest.mark.parametrize("line", QUIET)
def test_a_line_that_tells_no_trouble_is_no_event(line: str) -> None:
    assert not parse_kernel_log(f"[ 1.0] {line}").events


def test_the_journal_is_read_as_json_too() -> None:
    said = "NVRM: Xid (PCI:0000:9b:00): 48, pid=1, name=a"
    lines = [
        {"MESSAGE": said, "_SOURCE_MONOTONIC_TIMESTAMP": "5250000"},
        {"MESSAGE": list(said.encode()), "__MONOTONIC_TIMESTAMP": "6000000"},
        {"MESSAGE": None},
    ]
    found = parse_kernel_log("\n".join(map(json.dumps, lines))).events
    assert [(each.code, each.seconds) for each in found] == [(48, 5.25), (48, 6.0)]


def test_a_date_before_a_line_is_not_taken_for_seconds() -> None:
    sample = SAMPLES / "dmesg-xid119.gpud.log"
    if not sample.exists():
        pytest.skip("no real log beside the project")
    found = parse_kernel_log(sample.read_text()).of(Kind.XID)
    assert {(each.code, each.address, each.seconds) for each in found} == {
        (119, "0000:9b:00.0", None)
    }


@pytest.mark.parametrize(("first", "is_from_boot"), [("0.000000", True), ("86400.5", False)])
def test_a_log_that_lost_its_beginning_says_so(first: str, is_from_boot: bool) -> None:
    log = parse_kernel_log(f"since: [{first:>12}] node-1 kernel: Linux version 6.8\nend\n")
    assert (log.since_seconds, log.is_from_boot) == (float(first), is_from_boot)


@pytest.mark.parametrize("text", ["", "\n", "end\n", "\nend\n"])
def test_no_log_is_not_a_quiet_log(text: str) -> None:
    with pytest.raises(ValueError, match="empty or cannot be read"):
        parse_kernel_log(text)


def test_a_log_that_is_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match="cut short"):
        parse_kernel_log("since: [ 0.0] Linux\n[ 1.0] NVRM: Xid (PCI:0000:9b:00): 79")


def run(folder: Path, journal: str, ring: str) -> str:
    for name, text in (("journalctl", journal), ("dmesg", ring)):
        program = folder / name
        program.write_text(f"#!/bin/sh\ncat {folder}/{name}.txt\n")
        (folder / f"{name}.txt").write_text(text)
        program.chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    done = subprocess.run(
        ["sh", "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_script_prefers_the_journal_and_falls_back_to_the_ring_buffer(tmp_path: Path) -> None:
    boot = "[    0.000000] node kernel: Linux version 6.8\n[ 3.0] node kernel: usb 1-1\n"
    xid = "[    9.000000] {}NVRM: Xid (PCI:0000:9b:00): {}, GPU has fallen off the bus.\n"
    journal, ring = boot + xid.format("node kernel: ", 79), xid.format("", 48)
    log = parse_kernel_log(run(tmp_path, journal, ring))
    assert [(each.code, log.is_from_boot) for each in log.events] == [(79, True)]
    log = parse_kernel_log(run(tmp_path, "", ring))
    assert [(each.code, log.is_from_boot) for each in log.events] == [(48, False)]
    with pytest.raises(ValueError, match="cannot be read"):
        parse_kernel_log(run(tmp_path, "", ""))


def test_a_flood_is_cut_off_behind_its_beginning(tmp_path: Path) -> None:
    flood = "[ 2.0] pcieport 0000:15:01.0: AER: Corrected error message received\n" * 9000
    log = parse_kernel_log(run(tmp_path, f"[ 0.0] n kernel: Linux\n{flood}", ""))
    assert len(log.events) == MOST_LINES - 1
    assert log.is_from_boot


@given(st.text(), st.sampled_from(["", "since: ", "[ 1.0] NVRM: Xid (PCI:0000:9b:00): 79", "{"]))
def test_any_text_gives_a_log_or_a_sentence(text: str, start: str) -> None:
    try:
        parse_kernel_log(start + text)
    except ValueError as error:
        assert "kernel log" in str(error)
