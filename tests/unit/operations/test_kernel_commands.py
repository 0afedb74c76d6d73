"""The commands that bring a kernel to what is wanted: nothing where nothing differs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flightline.facts.hugepages import Hugepages, HugepageState
from flightline.facts.node import NumaNode
from flightline.operations import cmdline, hugepages, initramfs, modules, sysctl

GIB = 1024**3
LIVE: Hugepages = {
    "pools": [
        {"node": 0, "size_kib": 2048, "pages": 64},
        {"node": 1, "size_kib": 2048, "pages": 0},
        {"node": 0, "size_kib": 1048576, "pages": 0},
    ],
    "mounts": {"/dev/hugepages": 2048},
}


def test_only_the_node_that_lacks_pages_is_written() -> None:
    assert hugepages.reserve({2048: 64, 1048576: 0}, LIVE) == [
        "echo 64 > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"
    ]


def test_a_size_that_nobody_declared_is_left_alone() -> None:
    assert hugepages.reserve({}, LIVE) == []


def test_a_mount_with_another_page_size_is_made_anew() -> None:
    units = {"/dev/hugepages": ("dev-hugepages.mount", 1048576)}
    assert hugepages.mount(units, LIVE) == ["systemctl restart dev-hugepages.mount"]
    assert hugepages.mount({"/dev/hugepages": ("dev-hugepages.mount", 2048)}, LIVE) == []


def test_huge_pages_beyond_memory_name_the_node_and_both_figures() -> None:
    nodes = [NumaNode(0, 64 * GIB), NumaNode(1, 16 * GIB)]
    sentence = hugepages.beyond_memory({2048: 8192}, nodes, 0.5)
    assert sentence is not None
    assert "16.0 GiB on NUMA node 1, which has 16.0 GiB" in sentence
    assert "50%" in sentence


def test_huge_pages_up_to_the_fraction_are_allowed() -> None:
    assert hugepages.beyond_memory({1048576: 8}, [NumaNode(0, 16 * GIB)], 0.5) is None


def test_only_differing_sysctls_are_set_and_unknown_ones_skipped() -> None:
    live = {"vm.swappiness": "60", "vm.max_map_count": "65530"}
    wanted = {"vm.swappiness": "1", "vm.max_map_count": "65530", "kernel.numa_balancing": "0"}
    assert sysctl.set_values(wanted, live) == ["sysctl -q -w vm.swappiness=1"]


def test_a_sysctl_of_several_words_stays_one_argument() -> None:
    commands = sysctl.set_values({"net.ipv4.tcp_rmem": "4096 1 2"}, {"net.ipv4.tcp_rmem": "1 1 1"})
    assert commands == ["sysctl -q -w 'net.ipv4.tcp_rmem=4096 1 2'"]


def test_modules_are_loaded_once_and_together() -> None:
    assert modules.load(("a", "b", "c"), ["b"]) == ["modprobe -a -- a c"]
    assert modules.load(("a",), ["a"]) == []


def test_a_module_in_use_does_not_fail_the_run() -> None:
    (command,) = modules.unload(["nouveau"], ["nouveau"])
    fake = f"modprobe() {{ return 1; }}; {command}"
    done = subprocess.run(["sh", "-c", fake], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "nouveau is in use; a reboot removes it\n")


@pytest.mark.parametrize(
    ("family", "command"),
    [("debian", "update-initramfs -u -k all"), ("rhel", "dracut --force --regenerate-all")],
)
def test_each_family_rebuilds_with_its_own_tool(family: str, command: str) -> None:
    assert initramfs.rebuild(family) == command


def boot_loader(family: str, folder: Path, declared: str, seen: str = "") -> tuple[int, str, str]:
    """Run the update with fake tools that write their arguments down."""
    script = cmdline.update_boot_loader(family)
    for path, text in ((cmdline.LIST, declared), (cmdline.SEEN, seen)):
        stand_in = folder / Path(path).name
        stand_in.write_text(text)
        script = script.replace(path, str(stand_in))
    for tool in ("grubby", "update-grub"):
        program = folder / tool
        program.write_text(f'#!/bin/sh\necho {tool} "$@" >> {folder}/calls\n')
        program.chmod(0o755)
    script = script.replace("/var/lib/flightline", str(folder))
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", script], env=environment, check=False)
    calls = (folder / "calls").read_text()
    return done.returncode, calls, (folder / "kernel-arguments.seen").read_text()


def test_debian_regenerates_the_menu_and_remembers_its_arguments(tmp_path: Path) -> None:
    code, calls, seen = boot_loader("debian", tmp_path, "# ours\niommu=pt\n", "a=1\n")
    assert code == 0
    assert calls == "update-grub\n"
    assert "iommu=pt" in seen
    assert "a=1" in seen


def test_rhel_takes_out_what_is_no_longer_declared(tmp_path: Path) -> None:
    declared = "# ours\niommu=pt\nhugepagesz=2M hugepages=64\n"
    code, calls, _ = boot_loader("rhel", tmp_path, declared, "# ours\na=1\niommu=pt\n")
    assert code == 0
    assert calls.splitlines() == [
        "grubby --update-kernel=ALL --remove-args=a=1",
        "grubby --update-kernel=ALL --args=iommu=pt hugepagesz=2M hugepages=64 ",
    ]


def test_cpulist_is_never_read_by_the_shell_itself() -> None:
    """dash's `read` asks for single bytes, which sysfs answers with nothing (Linux 6.1)."""
    assert '"$(cat "$node/cpulist")"' in HugepageState().command()
    assert "read " not in HugepageState().command()
