"""What a node is refused for, before anything on it is touched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flightline.facts.node import NodeFacts
from flightline.operations.preflight import is_supported, problems

GIB = 1 << 30

FIT = NodeFacts(
    distribution="debian",
    version="12",
    codename="bookworm",
    family="debian",
    architecture="x86_64",
    kernel="6.1.0-40-amd64",
    boot_id="46cd0e11-e91b-4391-a872-fcb4e4c1c9d9",
    virtualization="kvm",
    product_name="",
    is_grace=False,
    cpus=2,
    memory_bytes=2 * GIB,
    numa_nodes=(),
    has_cpufreq=False,
    is_uefi=False,
    has_systemd=True,
    is_root=True,
    root_read_only=False,
    root_free_bytes=8 * GIB,
    boot_free_bytes=8 * GIB,
    var_free_bytes=8 * GIB,
    has_default_route=True,
    apt_lock_holder=None,
    dpkg_broken=(),
    dpkg_interrupted=False,
)


def test_a_fit_node_has_no_problem() -> None:
    assert problems(FIT) == ()


@pytest.mark.parametrize(
    ("distribution", "version", "family", "supported"),
    [
        ("debian", "12", "debian", True),
        ("debian", "13", "debian", True),
        ("debian", "11", "debian", False),
        ("ubuntu", "22.04", "debian", True),
        ("ubuntu", "24.04", "debian", True),
        ("ubuntu", "20.04", "debian", False),
        ("rhel", "9.6", "rhel", True),
        ("rocky", "9.4", "rhel", True),
        ("almalinux", "8.10", "rhel", False),
        ("arch", "", "unknown", False),
    ],
)
def test_supported_systems_are_known_by_name_and_version(
    distribution: str, version: str, family: str, supported: bool
) -> None:
    node = replace(FIT, distribution=distribution, version=version, family=family)
    assert is_supported(node) is supported
    assert bool(problems(node)) is not supported


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ({"distribution": "arch", "version": ""}, "runs arch, which is not supported"),
        ({"distribution": "", "version": ""}, "a system without /etc/os-release"),
        ({"architecture": "riscv64"}, "is a riscv64 machine"),
        ({"has_systemd": False}, "is not run by systemd"),
        ({"is_root": False}, "_sudo=True"),
        ({"root_read_only": True}, "mount -o remount,rw /"),
        ({"root_free_bytes": GIB, "var_free_bytes": GIB}, "/ has 1024 MiB free"),
        ({"boot_free_bytes": 50 << 20}, "/boot has 50 MiB free, expected at least 200 MiB"),
        ({"dpkg_broken": ("less",)}, "(less); run `dpkg --configure -a`"),
        ({"dpkg_interrupted": True}, "run `dpkg --configure -a`"),
    ],
)
def test_each_fault_is_one_sentence_with_a_remedy(fault: dict[str, object], word: str) -> None:
    (problem,) = problems(replace(FIT, **fault))  # type: ignore[arg-type]
    assert word in problem
    assert problem.endswith(".")


def test_all_problems_are_told_not_the_first() -> None:
    node = replace(FIT, is_root=False, root_read_only=True, dpkg_interrupted=True)
    assert len(problems(node)) == 3
