"""The description of a node's driver: what is read out of it, and what is not believed."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from flightline.gpu.driver import SCRIPT, parse_driver, version_in

SEEN = """\
module:nvidia
module:nvidia_uvm
loaded:580.105.08
flavour:NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.105.08  Release Build
option:EnableStreamMemOPs: 0
option:RegistryDwords: ""
minor:0000:3B:00.0 4
file:character special file|/dev/nvidia4
file:directory|/dev/nvidia-caps
library:/usr/lib64/libcuda.so.580.105.08
fabricmanager:580.105.08
running:6.1.0-56-amd64
kernel:6.1.0-55-amd64|installed|yes
kernel:6.1.0-56-amd64|license|NVIDIA
kernel:6.1.0-56-amd64|version|535.309.01
kernel:6.1.0-56-amd64|signer|DKMS module signing key
kernel:6.1.0-56-amd64|installed|yes
virtual:kvm
nodes_with_cpus:0-1,4
secure_boot:1
signatures_enforced:N
identity:0000:3b:00.0 233510de
acs:0000:3a:01.0 001d
acs:0000:39:00.0 none
acs:0000:38:00.0 unreadable
end
"""


def test_a_driver_is_read_as_it_runs() -> None:
    seen = parse_driver(SEEN)
    assert (seen.loaded, seen.flavour, seen.fabric_manager) == (
        "580.105.08",
        "open",
        "580.105.08",
    )
    assert seen.modules == {"nvidia", "nvidia_uvm"}
    assert seen.options == {"EnableStreamMemOPs": "0", "RegistryDwords": ""}
    assert seen.minors == {"0000:3b:00.0": 4}
    assert seen.characters == {"/dev/nvidia4"}
    assert seen.libraries == {"/usr/lib64/libcuda.so.580.105.08": "580.105.08"}


def test_every_installed_kernel_is_told_with_or_without_its_module() -> None:
    bare, built = parse_driver(SEEN).disk
    assert (bare.kernel, bare.is_there, bare.flavour) == ("6.1.0-55-amd64", False, None)
    assert (built.version, built.flavour, built.is_signed) == ("535.309.01", "proprietary", True)


def test_the_node_around_the_driver_is_told() -> None:
    seen = parse_driver(SEEN)
    assert seen.is_virtual
    assert seen.numa_nodes == 3
    assert seen.is_secure_boot_on
    assert not seen.requires_signatures
    assert seen.identities == {"0000:3b:00.0": "233510de"}
    assert seen.acs == {"0000:3a:01.0": 0x1D, "0000:39:00.0": 0, "0000:38:00.0": None}


def test_a_node_without_a_driver_has_none() -> None:
    seen = parse_driver("running:6.1.0-56-amd64\nvirtual:none\nend\n")
    assert (seen.loaded, seen.flavour, seen.disk, seen.numa_nodes) == ("", None, (), 0)
    assert not seen.is_virtual


@pytest.mark.parametrize("text", ["", SEEN.removesuffix("end\n"), "minor:0000:3b:00.0 x\nend\n"])
def test_a_description_that_is_cut_short_or_damaged_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_driver(text)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("535.309.01-0+deb12u1", "535.309.01"),
        ("3:580.105.08-1.el9", "580.105.08"),
        ("580.126-0ubuntu1", "580.126"),
        ("/usr/lib64/libcuda.so.1.1", ""),
        ("/usr/lib/libcuda.so.470.256.02", "470.256.02"),
        ("6.8.0-90.91", ""),
        ("1:4.4.1-1", ""),
        ("", ""),
    ],
)
def test_a_driver_version_is_found_in_what_carries_it(text: str, version: str) -> None:
    assert version_in(text) == version


# The layout of extended capabilities: PCI Express Base 5.0, 7.6.3 and 7.7.8.
def config(*capabilities: tuple[int, int], control: int = 0) -> bytes:
    """A configuration space with these capabilities (place, id) in a chain."""
    raw = bytearray(4096)
    following = [place for place, _ in capabilities[1:]] + [0]
    for (place, id), after in zip(capabilities, following, strict=True):
        struct.pack_into("<I", raw, place, id | 1 << 16 | after << 20)
        if id == 13:
            struct.pack_into("<HH", raw, place + 4, 0x005F, control)
    return bytes(raw)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (config((256, 1), (0x148, 13), (0x200, 25), control=0x1D), "001d"),
        (config((256, 13), control=0), "0000"),
        (config((256, 1), (0x148, 25)), "none"),
        (config((256, 1), (256, 1)), "none"),  # a chain that bites its tail
        (bytes(256), "none"),
        (bytes(64), "unreadable"),
        (b"", "unreadable"),
    ],
)
def test_the_acs_register_is_found_in_the_chain_of_capabilities(
    tmp_path: Path, raw: bytes, said: str
) -> None:
    (tmp_path / "config").write_bytes(raw)
    walk = SCRIPT[SCRIPT.index("acs() {") : SCRIPT.index("cd /sys/bus/pci/devices")]
    shell = ["sh", "-c", f'{walk}\nacs "$1"', "sh", str(tmp_path)]
    assert subprocess.run(shell, check=True, capture_output=True, text=True).stdout.strip() == said


def test_the_script_ends_on_any_machine_and_is_understood() -> None:
    shell = subprocess.run(["sh", "-c", SCRIPT], check=True, capture_output=True, text=True)
    assert parse_driver(shell.stdout).kernel
    assert not shell.stderr
