"""The list of the driver's packages: what belongs together, and what cannot move alone."""

from __future__ import annotations

import subprocess

import pytest

from flightline.gpu.driver_packages import SCRIPT, parse_packages

# Debian 12's own (apt-cache show, 2026-11-21), nvidia-smi held.
V = "535.261.03-1"
DEBIAN = f"""\
package:ii |nvidia-kernel-dkms|{V}|nvidia-installer-cleanup, firmware-nvidia-gsp (= 535.261.03) | \
firmware-nvidia-gsp-535.261.03, nvidia-kernel-support--v1, dkms (>= 3.0.3-4~)
package:ii |libcuda1|{V}|, nvidia-support, nvidia-alternative (= {V}), \
libnvidia-ptxjitcompiler1 (= {V}), libc6 (>= 2.34)
package:ii |libnvidia-ml1|{V}|, nvidia-alternative (= {V}), libc6 (>= 2.34)
package:ii |libnvidia-ptxjitcompiler1|{V}|, libc6 (>= 2.34)
package:hi |nvidia-smi|{V}|, nvidia-alternative (= {V}), libnvidia-ml1 (= {V}), libc6 (>= 2.34)
package:ii |nvidia-alternative|{V}|dpkg (>= 1.17.21), glx-alternative-nvidia (>= 1.2)
package:ii |nvidia-persistenced|535.171.04-1~deb12u1|, libnvidia-cfg1
package:ii |glx-alternative-nvidia|1.2.2|, libc6
package:rc |nvidia-driver|525.60.13-1|,
package:un |libcuda-12.0-1||,
manager:apt
end
"""


def test_packages_of_the_driver_are_told_from_those_named_alike() -> None:
    assert {each.name for each in parse_packages(DEBIAN).of_the_driver} == {
        "nvidia-kernel-dkms",
        "libcuda1",
        "libnvidia-ml1",
        "libnvidia-ptxjitcompiler1",
        "nvidia-smi",
    }


@pytest.mark.parametrize(
    "name",
    [
        "nvidia-open-kernel-dkms",
        "nvidia-kernel-open-dkms",
        "nvidia-dkms-580-server-open",
        "nvidia-kernel-source-580",
        "kmod-nvidia-open-dkms",
        "nvidia-driver-cuda",
        "nvidia-driver-cuda-libs",
        "libnvidia-compute-580-server",
        "libnvidia-cfg1-580",
        "nvidia-headless-no-dkms-580-server-open",
        "nvidia-utils-580",
        "nvidia-fabricmanager-570",
        "nvidia-fabricmanager",
        "nvidia-fabric-manager",
        "nvidia-imex",
    ],
)
def test_packages_of_every_source_belong_to_the_driver(name: str) -> None:
    found = parse_packages(f"package:ii |{name}|580.105.08-1|,\nmanager:apt\nend\n")
    assert [each.driver for each in found.of_the_driver] == ["580.105.08"]


@pytest.mark.parametrize(
    "name",
    [
        "nvidia-container-toolkit",
        "libnvidia-container1",
        "linux-modules-nvidia-580-open-6.8.0-90-generic",
        "nvidia-firmware-580-580.105.08",
        "nvidia-kernel-common",
        "nvidia-modprobe",
        "nvidia-driver-pinning-580.105.08",
    ],
)
def test_packages_with_versions_of_their_own_do_not(name: str) -> None:
    found = parse_packages(f"package:ii |{name}|1.0-1|,\nmanager:apt\nend\n")
    assert not found.of_the_driver


def test_packages_bound_to_a_held_one_cannot_move() -> None:
    fixed = parse_packages(DEBIAN).fixed
    assert {"nvidia-smi", "libnvidia-ml1", "nvidia-alternative", "libcuda1"} <= fixed
    assert "libnvidia-ptxjitcompiler1" in fixed
    assert not {"nvidia-kernel-dkms", "nvidia-persistenced", "glx-alternative-nvidia"} & fixed


def test_removed_packages_are_not_installed() -> None:
    assert "nvidia-driver" not in {each.name for each in parse_packages(DEBIAN).installed}


def test_a_pattern_that_is_no_pattern_leaves_nothing_alone() -> None:
    listed = 'setting:Unattended-Upgrade::Package-Blacklist:: "*nvidia";\n'
    found = parse_packages(DEBIAN.replace("manager:apt\n", f"manager:apt\n{listed}"))
    assert not any(found.is_left_alone(each) for each in found.ours if each.name not in found.fixed)


@pytest.mark.parametrize("text", ["", DEBIAN.removesuffix("end\n")])
def test_a_list_that_is_cut_short_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cut short"):
        parse_packages(text)


def test_the_script_ends_on_any_machine_and_is_understood() -> None:
    shell = subprocess.run(["sh", "-c", SCRIPT], check=True, capture_output=True, text=True)
    assert not parse_packages(shell.stdout).of_the_driver
    assert not shell.stderr
