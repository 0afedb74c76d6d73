"""What the checks conclude from answers that no lab node can give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from flightline.audit.check import REGISTRY, NotApplicable, Unknown
from roles.kernel import checks
from roles.kernel.settings import KernelSettings

SERVER = {
    "os-release": "family rhel fedora\narchitecture x86_64\nvirtual none\nproduct XE9680\n"
    "numa 0-55\nnuma 56-111\n",
}
LAB = {"os-release": "family debian\narchitecture x86_64\nvirtual qemu\nproduct Q35\nnuma 0-1\n"}
GRACE = {
    "os-release": "family ubuntu debian\narchitecture aarch64\nvirtual none\nproduct GB200 NVL\n"
    "numa 0-71\nnuma\nnuma\n",
}
ARGUMENTS = (
    "root=/dev/sda2 ro modprobe.blacklist=nouveau nouveau.modeset=0 rd.driver.blacklist=nouveau "
    "iommu=pt transparent_hugepage=madvise cpufreq.default_governor=performance"
)


@dataclass
class Told:
    """A host that answers a command by the first part of it that is known."""

    answers: dict[str, str] = field(default_factory=dict)

    def run(self, command: str) -> Any:
        return SimpleNamespace(stdout=self.check_output(command))

    def check_output(self, command: str) -> str:
        return next((text for part, text in self.answers.items() if part in command), "")


def judge(id: str, answers: dict[str, str], **settings: Any) -> str:
    """The sentence with which a check fails; empty when it passes."""
    check: Callable[..., None] = REGISTRY[id].function
    try:
        check(Told(answers), KernelSettings(**settings))
    except AssertionError as failure:
        return str(failure)
    return ""


def test_there_are_no_two_ways_to_load_the_checks() -> None:
    assert checks.__all__ == ["memory_checks", "system_checks"]
    assert len([id for id in REGISTRY if id.startswith("kernel-")]) >= 18


def test_a_rhel_server_passes_with_grubby_s_arguments() -> None:
    answers = SERVER | {"grubby --info": f'args="{ARGUMENTS}"\n'}
    assert judge("kernel-cmdline-bootloader", answers) == ""
    assert judge("kernel-cmdline-live", SERVER | {"/proc/cmdline": ARGUMENTS}) == ""


def test_totals_on_the_command_line_follow_the_numa_nodes() -> None:
    line = f"{ARGUMENTS} hugepagesz=2M hugepages=64"
    told = judge(
        "kernel-cmdline-live", SERVER | {"/proc/cmdline": line}, hugepages_2mib_per_node=64
    )
    assert "'hugepagesz=2M hugepages=128'" in told


def test_numa_nodes_without_cpus_do_not_count() -> None:
    line = ARGUMENTS.replace(" iommu=pt", "") + " hugepagesz=2M hugepages=64"
    assert (
        judge("kernel-cmdline-live", GRACE | {"/proc/cmdline": line}, hugepages_2mib_per_node=64)
        == ""
    )


def test_iommu_pt_on_grace_is_one_too_many_only_where_it_is_declared() -> None:
    assert judge("kernel-cmdline-live", GRACE | {"/proc/cmdline": ARGUMENTS}) == ""


@pytest.mark.parametrize("word", ["iommu=off", "transparent_hugepage=never", "nouveau.modeset=1"])
def test_a_second_value_is_named(word: str) -> None:
    told = judge("kernel-cmdline-unambiguous", SERVER | {"/proc/cmdline": f"{ARGUMENTS} {word}"})
    assert f"/proc/cmdline has {word}" in told


def test_a_site_may_blacklist_more_modules() -> None:
    line = f"{ARGUMENTS} modprobe.blacklist=ast quiet"
    assert judge("kernel-cmdline-unambiguous", SERVER | {"/proc/cmdline": line}) == ""


def test_a_boot_loader_that_cannot_be_read_is_unknown() -> None:
    with pytest.raises(Unknown):
        judge("kernel-cmdline-bootloader", LAB)


def test_an_image_that_cannot_be_listed_is_unknown_and_never_passes() -> None:
    answers = {"grep -HE": "/etc/modprobe.d/a.conf:blacklist nouveau\n"}
    for listed in ("/boot/initrd.img-6.1\nunlisted\n", ""):
        with pytest.raises(Unknown):
            judge("kernel-nouveau-initramfs", answers | {"lsinitramfs": listed})


def test_each_numa_node_is_judged_for_itself() -> None:
    pools = "node0 2048kB 64\nnode0 1048576kB 0\nnode1 2048kB 12\nnode1 1048576kB 0\n"
    told = judge("kernel-hugepages-2mib", {"nr_hugepages": pools}, hugepages_2mib_per_node=64)
    assert "12 on node1, expected 64" in told
    assert "node0" not in told


def test_a_size_that_the_kernel_lacks_blocks_only_where_it_is_declared() -> None:
    with pytest.raises(NotApplicable):
        judge("kernel-hugepages-1gib", {"nr_hugepages": "node0 2048kB 0\n"})
    with pytest.raises(Unknown):
        judge(
            "kernel-hugepages-1gib", {"nr_hugepages": "node0 2048kB 0\n"}, hugepages_1gib_per_node=1
        )


def test_a_gpu_behind_a_translating_iommu_is_named() -> None:
    told = judge(
        "kernel-iommu-mode", {"iommu_group": "0000:17:00.0 DMA-FQ\n0000:18:00.0 identity\n"}
    )
    assert told.startswith("0000:17:00.0 is DMA-FQ, expected identity")


def test_no_gpu_behind_an_iommu_is_not_applicable() -> None:
    with pytest.raises(NotApplicable):
        judge("kernel-iommu-mode", {"iommu_group": "0000:17:00.0\n"})


def test_one_cpu_with_another_governor_is_enough() -> None:
    assert "performance, powersave" in judge(
        "kernel-governor-performance", {"scaling_governor": "performance\npowersave\n"}
    )


def test_the_last_file_wins_and_is_named() -> None:
    from roles.kernel.sysctls import SYSCTLS

    ours = "".join(f"-{each.key} = {each.value}\n" for each in SYSCTLS)
    read = f"# /etc/sysctl.d/99-zz-flightline.conf\n# why\n{ours}\n"
    assert judge("kernel-sysctl-persistent", {"cat-config": read}) == ""
    later = read + "# /etc/sysctl.d/zzz.conf\nvm/swappiness=60\n"
    told = judge("kernel-sysctl-persistent", {"cat-config": later})
    assert told.startswith("vm.swappiness would be 60 from /etc/sysctl.d/zzz.conf, expected 1")


def test_a_sysctl_that_the_kernel_lacks_fails_unless_it_is_optional() -> None:
    told = judge("kernel-sysctl-numa", {"/proc/sys": "/proc/sys/vm/zone_reclaim_mode 0\n"})
    assert told == ""
    told = judge("kernel-sysctl-memory", {"/proc/sys": "/proc/sys/vm/swappiness 1\n"})
    assert "vm.max_map_count is absent, expected 1048576" in told


@pytest.mark.parametrize(
    ("taint", "virtual", "told"),
    [
        (0, LAB, ""),
        (1 | 1 << 12 | 1 << 13, SERVER, ""),  # NVIDIA's proprietary, out-of-tree, unsigned driver
        (1 << 7, LAB, "an oops"),
        (1 << 14, SERVER, "a soft lockup"),
        (1 << 14, LAB, ""),
        (1 << 4 | 1 << 14, LAB, "a machine check"),
    ],
)
def test_only_damage_counts_as_taint(taint: int, virtual: dict[str, str], told: str) -> None:
    message = judge("kernel-taint-undamaged", virtual | {"tainted": str(taint)})
    assert told in message
    assert bool(message) == bool(told)


def test_another_flavour_of_kernel_does_not_compete() -> None:
    images = "6.1.0-56-amd64\n/boot/vmlinuz-6.1.0-56-amd64\n/boot/vmlinuz-6.12.0-1-cloud-amd64\n"
    assert "6.12.0-1-cloud-amd64 is the newest" in judge(
        "kernel-release-newest", {"vmlinuz": images}
    )
    images = "6.8.0-90-generic\n/boot/vmlinuz-6.8.0-90-generic\n/boot/vmlinuz-6.8.0-99-lowlatency\n"
    assert judge("kernel-release-newest", {"vmlinuz": images}) == ""


def test_limits_are_judged_for_users_and_root() -> None:
    session = "unlimited unlimited\n1048576 1048576\n65536 unlimited\n"
    assert judge("kernel-limits-memlock", {"su -s": session * 2}) == ""
    weak = session + session.replace("1048576", "1024")
    assert "a session of root may open 1024" in judge("kernel-limits-nofile", {"su -s": weak})
    bounded = session.replace("unlimited unlimited", "1048576 1048576")
    assert judge("kernel-limits-memlock", {"su -s": bounded * 2}, memlock_gib=1) == ""
    assert "expected unlimited" in judge("kernel-limits-memlock", {"su -s": bounded * 2})


def test_a_session_that_cannot_be_opened_is_no_pass() -> None:
    with pytest.raises(ValueError, match="no session"):
        judge("kernel-limits-memlock", {"su -s": "su: Permission denied\n"})


def test_the_hard_and_the_soft_part_of_a_service_limit_are_told_apart() -> None:
    config = (
        "# /etc/systemd/system.conf.d/99-zz-flightline.conf\nDefaultLimitMEMLOCK=infinity\n"
        "DefaultLimitNOFILE=1024:1048576\nDefaultLimitSTACK=67108864:infinity\n"
    )
    assert judge("kernel-services-persistent", {"cat-config": config}) == ""
    later = config + "# /run/systemd/system.conf.d/z.conf\nDefaultLimitNOFILE=4096\n"
    assert "DefaultLimitNOFILE would be 4096 from /run/systemd/system.conf.d/z.conf" in judge(
        "kernel-services-persistent", {"cat-config": later}
    )
