"""What the checks of the services beside the driver conclude."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.roles.nvidia.host_side import ABSENT, FAIL, PASS, UNKNOWN, Edit, verdict

MANAGER = (
    "nvidia-fabricmanager-prerequisites",
    "nvidia-fabricmanager-version",
    "nvidia-fabricmanager-running",
)


def unit(name: str, load: str, active: str, detail: str = "x", result: str = "success") -> Edit:
    """What systemd says of one unit."""
    return (
        "units",
        rf"Result=.*\nId={name}.*\n.*\n.*\n.*",
        rf"Result={result}\nId={name}.service\nLoadState={load}\nActiveState={active}"
        rf"\nSubState={detail}",
    )


@pytest.mark.parametrize("id", MANAGER)
@pytest.mark.parametrize("name", ["l40s", "rtx_4090", "v100", "gb200"])
def test_gpus_without_nvswitches_of_their_own_need_no_fabric_manager(id: str, name: str) -> None:
    outcome, message = verdict(id, name=name)
    assert outcome is ABSENT
    assert "no NVSwitch" in message


@pytest.mark.parametrize("id", MANAGER)
def test_the_switches_of_a_virtual_b200_are_managed_outside_of_it(id: str) -> None:
    assert verdict(id, ("driver", "^virtual:none", "virtual:kvm"), name="b200")[0] is ABSENT


@pytest.mark.parametrize("id", MANAGER)
def test_a_fabric_manager_declared_off_is_not_judged(id: str) -> None:
    assert verdict(id, ("bus", "0x068000", "0x060400"), fabric_manager="off")[0] is ABSENT


def test_nvswitches_on_the_pci_bus_need_no_infiniband() -> None:
    assert verdict("nvidia-fabricmanager-prerequisites")[0] is ABSENT
    assert verdict("nvidia-fabricmanager-prerequisites", name="b200")[0] is PASS


def test_a_fabric_manager_that_is_not_installed_is_no_go() -> None:
    outcome, message = verdict(
        "nvidia-fabricmanager-version", ("driver", "^fabricmanager:.*\n", "")
    )
    assert outcome is FAIL
    assert "no fabric manager is installed" in message


def test_the_last_digits_of_the_fabric_manager_s_version_count() -> None:
    outcome, _ = verdict(
        "nvidia-fabricmanager-version",
        ("driver", "^fabricmanager:.*", "fabricmanager:580.105.07"),
    )
    assert outcome is FAIL


def test_a_service_that_restarts_again_and_again_is_no_go() -> None:
    outcome, message = verdict(
        "nvidia-fabricmanager-running",
        unit("nvidia-fabricmanager", "loaded", "activating", "auto-restart", "exit-code"),
    )
    assert outcome is FAIL
    assert "auto-restart" in message


def test_a_persistence_daemon_that_is_not_installed_is_no_go() -> None:
    absent = unit("nvidia-persistenced", "not-found", "inactive", "dead")
    outcome, message = verdict("nvidia-persistenced-running", absent)
    assert outcome is FAIL
    assert "nvidia-persistenced.service is not installed" in message


def test_nvidia_s_installer_brings_no_persistence_unit() -> None:
    absent = unit("nvidia-persistenced", "not-found", "inactive", "dead")
    runfile: dict[str, Any] = {
        "source": "runfile",
        "version": "580.105.08",
        "runfile": {"url": "https://example.org/d.run", "sha256": "0" * 64},
        "dcgm": False,
    }
    assert verdict("nvidia-persistenced-running", absent, **runfile)[0] is ABSENT


def test_services_that_are_not_declared_are_not_applicable() -> None:
    assert verdict("nvidia-persistenced-running", persistence=False)[0] is ABSENT
    assert verdict("nvidia-dcgm-running", dcgm=False)[0] is ABSENT
    assert verdict("nvidia-imex-running", name="gb200")[0] is ABSENT


def test_settings_that_nobody_declared_need_no_unit() -> None:
    absent = unit("flightline-gpu", "not-found", "inactive", "dead")
    assert verdict("nvidia-settings-applied", absent)[0] is ABSENT
    assert verdict("nvidia-settings-applied", absent, power_limit_watts=650)[0] is FAIL


def test_settings_that_are_being_applied_are_unknown() -> None:
    running = unit("flightline-gpu", "loaded", "activating", "start")
    assert verdict("nvidia-settings-applied", running)[0] is UNKNOWN


def test_a_systemd_that_does_not_answer_is_unknown() -> None:
    assert verdict("nvidia-dcgm-running", ("units", r"(?s)\A.*", ""))[0] is UNKNOWN
