"""What the checks of the driver's modules conclude."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.roles.nvidia.host_side import ABSENT, FAIL, PASS, UNKNOWN, verdict

NO_GPU = ("bus", "/vendor:0x10de", "/vendor:0x1af4")
VFIO = ("bus", "/driver:nvidia$", "/driver:vfio-pci")
OURS = (
    "nvidia-nouveau-unbound",
    "nvidia-module-loaded",
    "nvidia-module-flavour",
    "nvidia-module-version",
    "nvidia-module-options",
    "nvidia-module-kernels",
    "nvidia-module-signed",
    "nvidia-devices-present",
    "nvidia-packages-one-version",
    "nvidia-packages-held",
    "nvidia-upgrades-blocked",
    "nvidia-persistenced-running",
    "nvidia-fabricmanager-prerequisites",
    "nvidia-fabricmanager-version",
    "nvidia-fabricmanager-running",
    "nvidia-imex-running",
    "nvidia-dcgm-running",
    "nvidia-settings-applied",
    "nvidia-xid-critical",
    "nvidia-xid-application",
    "nvidia-sxid-critical",
    "nvidia-pcie-bandwidth",
    "nvidia-bus-fallen",
    "nvidia-bus-width",
    "nvidia-pcie-aer",
    "nvidia-pcie-corrected",
    "nvidia-numa-locality",
    "nvidia-acs-off",
)
ASKED: dict[str, Any] = {
    "module_options": {"NVreg_EnableStreamMemOPs": 1},
    "imex_nodes": ("10.0.0.1",),
}


@pytest.mark.parametrize("id", OURS)
def test_a_node_without_a_gpu_is_not_applicable_with_the_proof(id: str) -> None:
    outcome, message = verdict(id, NO_GPU, **ASKED)
    assert outcome is ABSENT
    assert "no NVIDIA GPU is on the PCI bus" in message


@pytest.mark.parametrize("id", OURS)
def test_gpus_of_virtual_machines_are_not_judged(id: str) -> None:
    assert verdict(id, VFIO)[0] is ABSENT


@pytest.mark.parametrize("id", OURS)
def test_what_cannot_be_measured_never_passes(id: str) -> None:
    assert verdict(id, without="bus")[0] is UNKNOWN


@pytest.mark.parametrize("id", OURS[1:8])
def test_a_description_of_the_driver_that_is_cut_short_is_unknown(id: str) -> None:
    outcome, message = verdict(id, ("driver", r"^end\n", ""), **ASKED)
    assert outcome is UNKNOWN, message


def test_a_gpu_without_a_driver_is_no_go() -> None:
    outcome, message = verdict("nvidia-module-loaded", ("bus", "^(0000:1c:00.0/driver):.*", r"\1:"))
    assert outcome is FAIL
    assert "0000:1c:00.0 is driven by nothing" in message


def test_a_module_that_is_not_loaded_leaves_its_version_unknown() -> None:
    nothing = ("driver", "^(loaded|flavour):.*\n", "")
    assert verdict("nvidia-module-version", nothing)[0] is UNKNOWN
    assert verdict("nvidia-module-flavour", nothing)[0] is UNKNOWN


def test_a_declared_flavour_goes_before_the_catalog_s() -> None:
    outcome, message = verdict("nvidia-module-flavour", kernel_modules="proprietary")
    assert outcome is FAIL
    assert "NvidiaSettings.kernel_modules" in message


def test_the_proprietary_module_suits_volta() -> None:
    assert verdict("nvidia-module-flavour", name="v100")[0] is PASS


def test_a_module_changed_on_disk_is_no_go_before_the_next_boot() -> None:
    newer = ("driver", r"^(kernel:6.8.0-90-generic\|version\|).*", r"\g<1>580.126.09")
    outcome, message = verdict("nvidia-module-version", newer)
    assert outcome is FAIL
    assert "580.126.09" in message


def test_a_driver_without_libraries_is_unknown() -> None:
    assert verdict("nvidia-module-version", ("driver", "^library:.*\n", ""))[0] is UNKNOWN


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ("NVreg_EnableStreamMemOPs", 1),
        ("NVreg_EnableStreamMemOPs", "0x1"),
        ("NVreg_ResmanDebugLevel", -1),
        ("NVreg_RegistryDwords", "PeerMappingOverride=1;"),
        ("NVreg_RegistryDwords", '"PeerMappingOverride=1;"'),
    ],
)
def test_an_option_is_compared_as_the_module_shows_it(option: str, wanted: int | str) -> None:
    assert verdict("nvidia-module-options", module_options={option: wanted})[0] is PASS


def test_an_option_that_the_module_does_not_have_is_no_go() -> None:
    outcome, message = verdict("nvidia-module-options", module_options={"NVreg_Misspelt": 1})
    assert outcome is FAIL
    assert "no option NVreg_Misspelt" in message


def test_no_declared_option_is_not_applicable() -> None:
    assert verdict("nvidia-module-options")[0] is ABSENT


def test_a_kernel_with_an_older_module_is_no_go() -> None:
    older = ("driver", r"^(kernel:6.8.0-88-generic\|version\|).*", r"\g<1>550.163.01")
    outcome, message = verdict("nvidia-module-kernels", older)
    assert outcome is FAIL
    assert "kernel 6.8.0-88-generic has nvidia 550.163.01, expected 580.105.08" in " ".join(
        message.split()
    )


def test_without_secure_boot_an_unsigned_module_is_not_applicable() -> None:
    outcome, message = verdict(
        "nvidia-module-signed", ("driver", "^secure_boot:1", "secure_boot:0")
    )
    assert outcome is ABSENT
    assert "Secure Boot is off" in message


def test_a_kernel_that_demands_signatures_is_as_strict_as_secure_boot() -> None:
    outcome, _ = verdict(
        "nvidia-module-signed",
        ("driver", "^secure_boot:1", "secure_boot:0"),
        ("driver", "^signatures_enforced:N", "signatures_enforced:Y"),
        ("driver", r"^kernel:6.8.0-88-generic\|(signer|sig_id).*\n", ""),
    )
    assert outcome is FAIL


def test_a_gpu_that_the_driver_has_not_taken_up_is_no_go() -> None:
    outcome, message = verdict("nvidia-devices-present", ("driver", "^minor:0000:1c.*\n", ""))
    assert outcome is FAIL
    assert "has not taken up 0000:1c:00.0" in message


def test_a_plain_file_in_the_place_of_a_device_is_no_go() -> None:
    faked = (
        "driver",
        r"^file:character special file\|/dev/nvidiactl",
        "file:regular file|/dev/nvidiactl",
    )
    outcome, message = verdict("nvidia-devices-present", faked)
    assert outcome is FAIL
    assert "/dev/nvidiactl" in message
