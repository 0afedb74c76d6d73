"""When the driver asks for a reboot: the probes as a shell runs them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from roles.nvidia.reboots import reboot_probes
from roles.nvidia.settings import NvidiaSettings

STALE, NOUVEAU = (probe.command for probe in reboot_probes(NvidiaSettings()))


def needed(
    probe: str, folder: Path, *, disk: str = "", loaded: str = "", bound: bool = False
) -> bool:
    """Whether the probe asks for a reboot, with a modinfo and a /sys that stand in."""
    modinfo = folder / "modinfo"
    modinfo.write_text(f"#!/bin/sh\n[ -n '{disk}' ] && echo '{disk}'\n")
    modinfo.chmod(0o755)
    version, driver = folder / "version", folder / "nouveau"
    driver.mkdir()
    if loaded:
        version.write_text(f"{loaded}\n")
    if bound:
        (driver / "0000:18:00.0").mkdir()
    (driver / "module").mkdir()
    probe = probe.replace("/sys/module/nvidia/version", str(version))
    probe = probe.replace("/sys/bus/pci/drivers/nouveau", str(driver))
    done = subprocess.run(
        ["sh", "-c", probe],
        capture_output=True,
        check=False,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
    )
    return done.returncode == 0


@pytest.mark.parametrize(
    ("disk", "loaded", "asked"),
    [
        ("580.105.08", "580.95.05", True),
        ("580.105.08", "580.105.08", False),
        ("580.105.08", "", False),  # nothing to put off: it is loaded by the role
        ("", "580.105.08", False),  # nothing that a reboot could bring
        ("", "", False),
    ],
)
def test_a_loaded_driver_waits_for_the_installed_one(
    disk: str, loaded: str, asked: bool, tmp_path: Path
) -> None:
    assert needed(STALE, tmp_path, disk=disk, loaded=loaded) == asked


@pytest.mark.parametrize(
    ("disk", "bound", "asked"),
    [("580.105.08", True, True), ("580.105.08", False, False), ("", True, False)],
)
def test_nouveau_goes_at_a_reboot_only_where_a_driver_follows_it(
    disk: str, bound: bool, asked: bool, tmp_path: Path
) -> None:
    assert needed(NOUVEAU, tmp_path, disk=disk, bound=bound) == asked


@pytest.mark.parametrize("probe", [STALE, NOUVEAU])
def test_a_probe_is_quiet_on_a_computer_without_nvidia(probe: str) -> None:
    if Path("/sys/module/nvidia").exists():
        pytest.skip("an NVIDIA driver is loaded on this computer")
    done = subprocess.run(["sh", "-c", probe], capture_output=True, check=False)
    assert done.returncode == 1
