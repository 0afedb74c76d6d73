"""Captures of real machines agree with the catalog."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring

from flightline import catalog

FOLDER = Path(__file__).parents[4] / "shared/samples"
CAPTURES = sorted(FOLDER.glob("nvidia-smi-qx.*.xml"))

if not CAPTURES:
    pytest.skip("the captures of real machines are not here", allow_module_level=True)


def gpus() -> list[tuple[str, Element]]:
    trees = ((path.name, fromstring(path.read_text())) for path in CAPTURES)
    return [(name, gpu) for name, tree in trees for gpu in tree.iter("gpu")]


def number(gpu: Element, *places: str) -> float:
    """The number at the first of the places that is there: drivers name things differently."""
    text = next(filter(None, (gpu.findtext(place) for place in places)))
    found = re.match(r"[0-9.]+", text)
    assert found, text
    return float(found.group())


every_gpu = pytest.mark.parametrize(("capture", "gpu"), gpus())


@every_gpu
def test_a_captured_gpu_agrees_with_its_entry(capture: str, gpu: Element) -> None:
    device = gpu.findtext("pci/pci_device_id", "")[:4]
    known = catalog.gpu_by_device(device)
    assert known, f"{capture}: {device}"
    assert gpu.findtext("product_name") in known.product_names
    assert number(gpu, "fb_memory_usage/total") // 1024 == known.memory.value
    assert number(gpu, "pci/pci_gpu_link_info/link_widths/max_link_width") == known.pcie_width
    assert number(gpu, "pci/pci_gpu_link_info/pcie_gen/max_link_gen") == known.pcie_generation


@every_gpu
def test_a_captured_power_limit_is_at_least_the_entrys(capture: str, gpu: Element) -> None:
    known = catalog.gpu_by_device(gpu.findtext("pci/pci_device_id", "")[:4])
    default = "default_power_limit"
    found = number(gpu, f"gpu_power_readings/{default}", f"power_readings/{default}")
    assert known
    # the captured A100 is of the 500 W kind for liquid cooling
    expected = 500 if "a100" in capture else known.power.value
    assert found == expected >= known.power.value


@every_gpu
def test_mig_and_ecc_are_there_where_the_entry_says(capture: str, gpu: Element) -> None:
    known = catalog.gpu_by_device(gpu.findtext("pci/pci_device_id", "")[:4])
    assert known
    assert (gpu.findtext("mig_mode/current_mig") != "N/A") == known.has_mig
    assert (gpu.findtext("ecc_mode/current_ecc") != "N/A") == known.has_ecc
    if gpu.findtext("mig_mode/current_mig") != "Enabled":  # driver 535 then says N/A for the GPU
        remapped = gpu.find("remapped_rows/remapped_row_corr")
        assert (remapped is not None) == known.has_row_remapping
