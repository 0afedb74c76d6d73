"""Files as they land, compared with golden ones and read by the programs that will read them.

`FLIGHTLINE_GOLDEN=write pytest tests/render/kernel` writes the golden files anew; read the diff.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from flightline.facts.node import NodeFacts, NumaNode, parse_node
from flightline.operations.bundle import Absent, File, Link
from flightline.operations.cmdline import LIST
from roles.kernel import files
from roles.kernel.settings import KernelSettings

GOLDEN = Path(__file__).parent / "golden"
HOPPER = KernelSettings(
    pci_options=("realloc=off", "disable_acs_redir=pci:0:0"),
    hugepages_2mib_per_node=4096,
    hugepages_1gib_per_node=2,
    modules=("ipmi_msghandler", "ib_umad"),
    memlock_gib=256,
    sysctl={"vm.swappiness": 10, "kernel.panic": 60, "vm.max_map_count": None},
    extra_arguments=("init_on_alloc=0",),
)
LAB = KernelSettings(hugepages_2mib_per_node=64)


@dataclass(frozen=True)
class Case:
    settings: KernelSettings
    system: str
    architecture: str = "x86_64"
    virtualization: str = "none"
    product: str = ""
    numa_nodes: int = 2

    @property
    def node(self) -> NodeFacts:
        numa = [NumaNode(number, 512 * 1024**3) for number in range(self.numa_nodes)]
        lines = [
            f"os=ID={self.system.split()[0]}",
            f"os=VERSION_ID={self.system.split()[1]}",
            f"architecture={self.architecture}",
            f"virtualization={self.virtualization}",
            f"product_name={self.product}",
            "cpus=0-63",
            "memory=MemTotal:       1073741824 kB",
            *(f"numa=Node {each.id} MemTotal: {each.memory_bytes // 1024} kB" for each in numa),
            "room_of=/",
            "Filesystem 1024-blocks Used Available Capacity Mounted on",
            "/dev/sda2 100 1 99 1% /",
            "end=yes",
        ]
        return parse_node("\n".join(lines))


CASES = {
    "debian-12-lab": Case(LAB, "debian 12", virtualization="qemu", numa_nodes=1),
    "ubuntu-22.04-h100": Case(HOPPER, "ubuntu 22.04"),
    "ubuntu-24.04-virtual": Case(HOPPER, "ubuntu 24.04", virtualization="kvm"),
    "ubuntu-24.04-grace": Case(HOPPER, "ubuntu 24.04", "aarch64", product="GB200 NVL"),
    "rhel-9-h100": Case(HOPPER, "rhel 9.6"),
}


def shown(case: Case) -> str:
    parts = []
    for item in files.items(case.settings, case.node):
        text = f"==> {item.path}\n"
        if isinstance(item, File):
            text += item.content
        if isinstance(item, Link):
            text = f"==> {item.path} -> {item.target}\n"
        if isinstance(item, Absent):
            text = f"==> {item.path} is absent\n"
        parts.append(text)
    hooks = [f"--> {hook.command}\n    after {hook.paths}\n" for hook in files.hooks(case.node)]
    return "".join([*parts, *hooks])


def content(case: Case, path: str) -> str:
    (found,) = (item for item in files.items(case.settings, case.node) if item.path == path)
    assert isinstance(found, File)
    return found.content


@pytest.mark.parametrize("name", CASES)
def test_files_are_the_golden_ones(name: str) -> None:
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("FLIGHTLINE_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(shown(CASES[name]))
    assert shown(CASES[name]) == golden.read_text()


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("rhel")])
def test_the_grub_drop_in_appends_and_keeps_what_was_there(name: str, tmp_path: Path) -> None:
    drop_in = tmp_path / "flightline.cfg"
    drop_in.write_text(content(CASES[name], files.GRUB))
    script = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet splash"; . "$1"; echo "$GRUB_CMDLINE_LINUX_DEFAULT"'
    shell = ["sh", "-euc", script, "sh", str(drop_in)]
    words = subprocess.run(shell, capture_output=True, text=True, check=True).stdout.split()
    listed = content(CASES[name], LIST).splitlines()[1:]
    assert words == ["quiet", "splash", *" ".join(listed).split()]


def test_rhel_has_no_grub_drop_in() -> None:
    paths = [item.path for item in files.items(HOPPER, CASES["rhel-9-h100"].node)]
    assert files.GRUB not in paths
    assert LIST in paths


@pytest.mark.skipif(not shutil.which("modprobe"), reason="kmod is not installed")
def test_modprobe_reads_the_blacklist(tmp_path: Path) -> None:
    (tmp_path / "x.conf").write_text(content(CASES["debian-12-lab"], files.NOUVEAU))
    command = ["modprobe", "-C", str(tmp_path), "--showconfig"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {"blacklist nouveau", "options nouveau modeset=0"} <= set(found)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_reads_the_mount_unit_without_a_complaint(tmp_path: Path) -> None:
    unit = tmp_path / Path(files.MOUNT_1GIB).name
    unit.write_text(content(CASES["ubuntu-22.04-h100"], files.MOUNT_1GIB))
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert unit.name not in done.stderr, done.stderr


@pytest.mark.parametrize("name", CASES)
def test_every_sysctl_line_is_a_comment_or_one_assignment(name: str) -> None:
    lines = content(CASES[name], files.SYSCTL).splitlines()
    settings = [line for line in lines if line and not line.startswith("#")]
    assert all(line.lstrip("-").count(" = ") == 1 for line in settings)
    keys = [line.lstrip("-").split(" = ")[0] for line in settings]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", CASES)
def test_every_limit_has_four_words_as_pam_limits_wants(name: str) -> None:
    lines = content(CASES[name], files.LIMITS).splitlines()
    assert all(len(line.split()) == 4 for line in lines if not line.startswith("#"))
