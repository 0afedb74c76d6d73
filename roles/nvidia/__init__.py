"""NVIDIA driver, fabric manager, persistence, MIG, DCGM."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from roles.nvidia.operations import driver_installed, driver_running
from roles.nvidia.reboots import reboot_probes
from roles.nvidia.refusals import refuse_unfit_gpus
from roles.nvidia.settings import ApplicationClocks, NvidiaSettings, RunFile

__all__ = [
    "ApplicationClocks",
    "NvidiaSettings",
    "RunFile",
    "nvidia",
    "reboot_probes",
    "refuse_unfit_gpus",
]


@deploy("NVIDIA")
def nvidia(settings: NvidiaSettings) -> None:
    """Give the GPUs their driver, its companions and their settings; nothing without a GPU."""
    driver_installed(name="Install the driver and its files", settings=settings)
    driver_running(name="Run NVIDIA's services", settings=settings)
