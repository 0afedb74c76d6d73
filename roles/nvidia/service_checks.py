"""What must hold of the services beside the driver: persistence, fabric manager, IMEX, DCGM."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable, unknown
from roles.nvidia.evidence import (
    driver,
    is_fifth_generation,
    loaded_driver,
    needs_fabric_manager,
    our_gpus,
    unit,
)
from roles.nvidia.settings import NvidiaSettings

_APPLY = "run `flightline apply --role nvidia`"
_LOADED = ("nvidia-module-loaded",)
_MANAGER = "nvidia-fabricmanager.service"


def _expect_running(host: Host, name: str, field: str) -> None:
    found = unit(host, name)
    assert found.is_active, f"{found}, expected active (NvidiaSettings.{field})"


@check(
    "nvidia-persistenced-running",
    "the persistence daemon runs",
    severity=ERROR,
    remedy="`systemctl restart nvidia-persistenced; journalctl -u nvidia-persistenced -b`",
    depends=_LOADED,
)
def persistenced_running(host: Host, nvidia: NvidiaSettings) -> None:
    our_gpus(host)
    if not nvidia.persistence:
        not_applicable("NvidiaSettings.persistence is False")
    name = "nvidia-persistenced.service"
    if nvidia.source == "runfile" and not unit(host, name).is_there:
        not_applicable(
            "NVIDIA's installer brings no unit; nvidia-persistence-enabled judges the mode"
        )
    _expect_running(host, name, "persistence")


@check(
    "nvidia-fabricmanager-prerequisites",
    "ib_umad is loaded, through which the fabric manager reaches NVSwitches of NVLink 5",
    severity=CRITICAL,
    remedy="`modprobe ib_umad mlx5_ib`, on Ubuntu from linux-modules-extra; then apply",
)
def fabricmanager_prerequisites(host: Host, nvidia: NvidiaSettings) -> None:
    needs_fabric_manager(host, nvidia)
    if not is_fifth_generation(host):
        not_applicable("these NVSwitches are PCI devices, not managed over InfiniBand")
    assert "ib_umad" in driver(host).modules, "ib_umad is not loaded, expected in /sys/module"


@check(
    "nvidia-fabricmanager-version",
    "the fabric manager has exactly the driver's version",
    severity=CRITICAL,
    remedy=f"{_APPLY}; it installs the fabric manager with the driver and holds both",
    depends=(*_LOADED, "nvidia-module-version"),
)
def fabricmanager_version(host: Host, nvidia: NvidiaSettings) -> None:
    needs_fabric_manager(host, nvidia)
    found = loaded_driver(host)
    assert found.fabric_manager, (
        f"no fabric manager is installed (nv-fabricmanager), expected {found.loaded} "
        "(NvidiaSettings.fabric_manager)"
    )
    assert found.fabric_manager == found.loaded, (
        f"the fabric manager is {found.fabric_manager}, expected {found.loaded}, the driver's"
    )


@check(
    "nvidia-fabricmanager-running",
    "the fabric manager runs: without it CUDA starts on no GPU (error 802)",
    severity=CRITICAL,
    remedy="`systemctl restart nvidia-fabricmanager; journalctl -u nvidia-fabricmanager -b`",
    depends=(*_LOADED, "nvidia-fabricmanager-version", "nvidia-fabricmanager-prerequisites"),
)
def fabricmanager_running(host: Host, nvidia: NvidiaSettings) -> None:
    needs_fabric_manager(host, nvidia)
    _expect_running(host, _MANAGER, "fabric_manager")


@check(
    "nvidia-imex-running",
    "IMEX runs on a node of a declared NVLink domain",
    severity=CRITICAL,
    remedy="`systemctl restart nvidia-imex; nvidia-imex-ctl -N`",
    depends=_LOADED,
)
def imex_running(host: Host, nvidia: NvidiaSettings) -> None:
    our_gpus(host)
    if not nvidia.imex_nodes:
        not_applicable("NvidiaSettings.imex_nodes is empty")
    _expect_running(host, "nvidia-imex.service", "imex_nodes")


@check(
    "nvidia-dcgm-running",
    "DCGM's host engine runs",
    severity=WARNING,
    remedy="`systemctl restart nvidia-dcgm; journalctl -u nvidia-dcgm -b`",
    depends=_LOADED,
)
def dcgm_running(host: Host, nvidia: NvidiaSettings) -> None:
    our_gpus(host)
    if not nvidia.dcgm:
        not_applicable("NvidiaSettings.dcgm is False")
    if nvidia.source != "nvidia":
        not_applicable(f'NvidiaSettings.source is "{nvidia.source}", which has no DCGM')
    _expect_running(host, "nvidia-dcgm.service", "dcgm")


@check(
    "nvidia-settings-applied",
    "the declared power limit, clocks and MIG layout were accepted by every GPU at boot",
    severity=ERROR,
    remedy="`journalctl -u flightline-gpu -b` names the GPU that refused, and the setting",
    depends=_LOADED,
)
def settings_applied(host: Host, nvidia: NvidiaSettings) -> None:
    our_gpus(host)
    found = unit(host, "flightline-gpu.service")
    declared = (nvidia.power_limit_watts, nvidia.application_clocks, nvidia.mig)
    if not found.is_there and all(each is None for each in declared):
        not_applicable("no power limit, clocks or MIG layout is declared (NvidiaSettings)")
    if found.active == "activating":
        unknown(f"{found}: it has not ended yet")
    assert found.is_active and found.result == "success", f"{found}, expected active and success"
