"""The PCI bus as this computer's own sysfs has it, and as a GPU machine's answer reads."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flightline.gpu.bus import SCRIPT, parse_bus

LISTED = """\
0000:18:00.0/vendor:0x10de
0000:18:00.0/device:0x2330
0000:18:00.0/class:0x030200
0000:18:00.0/revision:0xa1
0000:18:00.0/subsystem_vendor:0x10de
0000:18:00.0/subsystem_device:0x16c1
0000:18:00.0/numa_node:-1
0000:18:00.0/current_link_speed:32.0 GT/s PCIe
0000:18:00.0/current_link_width:8
0000:18:00.0/max_link_speed:Unknown
0000:18:00.0/max_link_width:255
0000:18:00.0/aer_dev_correctable:RxErr 0
0000:18:00.0/aer_dev_correctable:TOTAL_ERR_COR 3
0000:18:00.0/driver:vfio-pci
0000:18:00.0/path:/sys/devices/pci0000:15/0000:15:01.0/0000:16:00.0/0000:18:00.0
0000:07:00.0/vendor:0x10de
0000:07:00.0/class:0x068000
end
"""


def test_a_gpu_is_read_with_what_the_kernel_knows_of_it() -> None:
    switch, gpu = parse_bus(LISTED)
    assert switch.is_nvswitch and not switch.is_gpu
    assert gpu.is_gpu and gpu.is_passed_through
    assert (gpu.device, gpu.subsystem, gpu.numa_node) == ("2330", "10de:16c1", None)
    assert (gpu.link_speed_gts, gpu.link_width) == (32.0, 8)
    assert (gpu.max_link_speed_gts, gpu.max_link_width) == (None, None)
    assert (gpu.aer_correctable, gpu.aer_fatal) == (3, None)
    assert gpu.parents == ("0000:15:01.0", "0000:16:00.0")


def test_a_list_that_is_cut_short_is_no_list() -> None:
    with pytest.raises(ValueError, match="cut short"):
        parse_bus(LISTED.removesuffix("end\n"))


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_this_computers_bus_is_listed_as_sysfs_has_it(shell: str) -> None:
    printed = subprocess.run([shell, "-c", SCRIPT], capture_output=True, text=True, check=True)
    wanted = {
        place.parent.name
        for place in Path("/sys/bus/pci/devices").glob("*/class")
        if place.read_text().startswith(("0x02", "0x03", "0x0680"))
    }
    found = {device.address: device for device in parse_bus(printed.stdout)}
    assert set(found) == wanted
    for address, device in found.items():
        vendor = (Path("/sys/bus/pci/devices") / address / "vendor").read_text().strip()
        assert f"0x{device.vendor}" == vendor
