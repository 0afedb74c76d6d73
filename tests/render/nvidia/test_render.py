"""Files as they land, compared with golden ones and read by the programs that will read them.

`FLIGHTLINE_GOLDEN=write pytest tests/render/nvidia` writes the golden files anew; read the diff.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flightline.gpu.bus import PciDevice
from flightline.operations.bundle import Absent, File, Item
from roles.nvidia import files
from roles.nvidia.settings import ApplicationClocks, NvidiaSettings
from tests.unit.roles.nvidia.states import (
    B200,
    BARE,
    DEBIAN_12,
    GB200,
    H100,
    NVSWITCH,
    ROCKY,
    UBUNTU,
    chosen,
    gpus,
    state,
)

GOLDEN = Path(__file__).parent / "golden"
FULL = NvidiaSettings(
    version="580.105.08",
    repository_url="https://mirror.example.org/cuda/repos",
    module_options={"NVreg_EnableStreamMemOPs": 1, "NVreg_RegistryDwords": "Peer=1;"},
    power_limit_watts=600,
    application_clocks=ApplicationClocks(memory_mhz=2619, graphics_mhz=1980),
    mig=("3g.40gb", "1g.10gb"),
)
IMAGE = NvidiaSettings(install="always", source="distribution", kernel_modules="proprietary")
RACK = NvidiaSettings(branch=580, imex_nodes=("10.0.0.1", "10.0.0.2"))
SYSTEMS: dict[str, tuple[Any, NvidiaSettings, tuple[PciDevice, ...]]] = {
    "debian-12-image": (DEBIAN_12, IMAGE, ()),
    "ubuntu-24.04-h100": (UBUNTU, FULL, (*gpus(H100), NVSWITCH)),
    "ubuntu-24.04-b200": (UBUNTU, NvidiaSettings(branch=580), gpus(B200)),
    "ubuntu-24.04-gb200": (UBUNTU, RACK, gpus(GB200, 4)),
    "rocky-9-h100": (ROCKY, NvidiaSettings(branch=580), (*gpus(H100), NVSWITCH)),
}


def items(name: str) -> tuple[Item, ...]:
    node, settings, devices = SYSTEMS[name]
    there = state(BARE)
    choice = chosen(settings, devices=devices, node=node, found=there)
    return files.items(settings, node, choice, there)


def shown(found: tuple[Item, ...]) -> str:
    """Path and content of all files; of the program only the declared values."""
    parts = []
    for item in found:
        if isinstance(item, Absent):
            parts.append(f"==> {item.path} (absent)\n")
        elif isinstance(item, File):
            text = item.content
            if item.path == files.SETTINGS_PROGRAM:
                values = ("persistence=", "power_watts=", "clocks=", "mig=")
                kept = [line for line in text.splitlines() if line.startswith(values)]
                text = "".join(f"{line}\n" for line in kept)
            parts.append(f"==> {item.path} ({item.mode})\n{text}")
    return "".join(parts)


@pytest.mark.parametrize("name", SYSTEMS)
def test_files_are_the_golden_ones(name: str) -> None:
    rendered, golden = shown(items(name)), GOLDEN / f"{name}.txt"
    if os.environ.get("FLIGHTLINE_GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(rendered)
    assert rendered == golden.read_text()


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_file_says_who_manages_it(name: str) -> None:
    """IMEX reads addresses only, so its list has no comment."""
    for item in items(name):
        if isinstance(item, File) and item.path != files.IMEX_NODES:
            head = "".join(item.content.splitlines(keepends=True)[:2])
            assert "Managed by Flightline, role nvidia; edits are lost." in head, item.path


def test_a_shell_can_read_the_program(tmp_path: Path) -> None:
    program = tmp_path / "gpu-settings"
    for item in items("ubuntu-24.04-h100"):
        if isinstance(item, File) and item.path == files.SETTINGS_PROGRAM:
            program.write_text(item.content)
    for shell in filter(shutil.which, ("dash", "bash")):
        subprocess.run([shell, "-n", str(program)], check=True)


def test_systemd_can_read_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    for item in items("ubuntu-24.04-h100"):
        if not isinstance(item, File) or "/systemd/system/" not in item.path:
            continue
        unit = tmp_path / Path(item.path.removesuffix(".d/flightline.conf")).name
        text = item.content.replace(files.SETTINGS_PROGRAM, "/bin/true")
        if unit.name != "flightline-gpu.service":
            text = text.replace("[Service]", "[Service]\nExecStart=/bin/true")
        unit.write_text(text)
        said = subprocess.run(
            ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
        )
        assert unit.name not in said.stderr, said.stderr


def test_apt_can_read_the_configuration(tmp_path: Path) -> None:
    if shutil.which("apt-config") is None:
        pytest.skip("apt-config is not installed here")
    file = tmp_path / "53flightline-nvidia"
    for item in items("ubuntu-24.04-h100"):
        if isinstance(item, File) and item.path.endswith("53flightline-nvidia"):
            file.write_text(item.content)
    said = subprocess.run(
        ["apt-config", "-c", str(file), "dump", "Unattended-Upgrade::Package-Blacklist"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"^libcuda1$"' in said.stdout
