"""Files as they land, compared with golden ones and read by the programs that will read them.

`FLIGHTLINE_GOLDEN=write pytest tests/render/fabric` writes the golden files anew; read the diff.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from flightline.facts.node import NodeFacts, parse_node
from flightline.gpu.rdma import RdmaReport, parse_rdma
from flightline.operations.bundle import Absent, Directory, File, Link
from roles.fabric import files, sources
from roles.fabric.settings import DocaSettings, FabricSettings
from tests.machines import fabric as machines

GOLDEN = Path(__file__).parent / "golden"
EMPTY = "uptime:9.5\nroute:eth0\nend\n"
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nfor the test\n-----END PGP PUBLIC KEY BLOCK-----\n"
DOCA = DocaSettings(
    repository_url="https://mirror.example.org/doca/3.2.0/x86_64", key_file="files/doca.asc"
)


@dataclass(frozen=True)
class Case:
    settings: FabricSettings
    machine: str
    system: str

    @property
    def node(self) -> NodeFacts:
        lines = [
            f"os=ID={self.system.split()[0]}",
            f"os=VERSION_ID={self.system.split()[1]}",
            "architecture=x86_64",
            "cpus=0-63",
            "memory=MemTotal: 1073741824 kB",
            "room_of=/",
            "Filesystem 1024-blocks Used Available Capacity Mounted on",
            "/dev/sda2 100 1 99 1% /",
            "end=yes",
        ]
        return parse_node("\n".join(lines))

    @property
    def report(self) -> RdmaReport:
        answers = machines.answers(self.machine)
        printed = answers["fabric-rdma"].stdout.decode() if answers else EMPTY
        return parse_rdma(printed)


SOFT = FabricSettings(
    soft_roce_interfaces=("eth1",),
    roce_gid_index=1,
    interface_mtu_bytes=4200,
    nccl_socket_interface="eth1",
)
CASES = {
    "debian-12-soft": Case(SOFT, "none", "debian 12"),
    "ubuntu-24.04-infiniband": Case(machines.settings("h100_sxm_8"), "h100_sxm_8", "ubuntu 24.04"),
    "ubuntu-24.04-roce": Case(machines.settings("a100_sxm_8"), "a100_sxm_8", "ubuntu 24.04"),
    "debian-12-doca": Case(FabricSettings(stack="doca", doca=DOCA), "h100_sxm_8", "debian 12"),
    "rhel-9-doca": Case(FabricSettings(stack="doca", doca=DOCA), "h100_sxm_8", "rhel 9.6"),
    "debian-12-left-alone": Case(
        FabricSettings(
            enabled="always",
            device_names="distribution",
            acs="keep",
            max_read_request_bytes=None,
            interface_sysctls={},
            nccl_conf=False,
        ),
        "none",
        "debian 12",
    ),
}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_key", lambda _: KEY)


def shown(case: Case) -> str:
    parts = []
    for item in files.items(case.settings, case.report, case.node):
        text = f"==> {item.path}\n"
        match item:
            case File():
                text = f"==> {item.path} {item.mode}\n{item.content}"
            case Link():
                text = f"==> {item.path} -> {item.target}\n"
            case Absent():
                text = f"==> {item.path} is absent\n"
            case Directory():
                text = f"==> {item.path}/\n"
        parts.append(text)
    hooks = files.hooks(case.settings, case.report)
    parts += [f"--> {hook.command}\n    after {hook.paths}\n" for hook in hooks]
    return "".join(parts)


def content(name: str, path: str) -> str:
    case = CASES[name]
    (found,) = (
        item for item in files.items(case.settings, case.report, case.node) if item.path == path
    )
    assert isinstance(found, File)
    return found.content


@pytest.mark.parametrize("name", CASES)
def test_files_are_the_golden_ones(name: str) -> None:
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("FLIGHTLINE_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(shown(CASES[name]))
    assert shown(CASES[name]) == golden.read_text()


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("name", CASES)
def test_the_setup_script_is_good_shell(name: str, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    command = ["busybox", "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [*command, "-n"],
        input=content(name, files.SETUP),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", CASES)
def test_shellcheck_finds_nothing_in_the_setup_script(name: str) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    # SC2043: a loop over one interface; SC2194: a case over a list without variables
    command = ["shellcheck", "-s", "sh", "-e", "SC2043,SC2194", "-"]
    script = content(name, files.SETUP)
    done = subprocess.run(command, input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", CASES)
def test_systemd_reads_the_unit_without_a_complaint(name: str, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    unit = tmp_path / Path(files.UNIT).name
    text = content(name, files.UNIT).replace(files.SETUP, shutil.which("true") or "/bin/true")
    unit.write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert unit.name not in done.stderr, done.stderr


def test_an_odd_interface_name_is_escaped_as_systemd_does() -> None:
    if not shutil.which("systemd-escape"):
        pytest.skip("systemd is not installed")
    path = "/sys/subsystem/net/devices/enp1s0-x.100"
    command = ["systemd-escape", "--path", "--suffix=device", path]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert files.device_unit("enp1s0-x.100") == said


@dataclass(frozen=True)
class Ran:
    status: int
    told: str
    calls: list[str]


def run_setup(name: str, tmp_path: Path, **programs: str) -> Ran:
    """Run the script with programs of the test's own: each writes down how it was called."""
    log = tmp_path / "calls"
    log.touch()
    for program in ("setpci", "rdma", "ip", "modprobe", "dcb", "systemd-detect-virt"):
        body = programs.get(program.replace("-", "_"), "exit 0")
        stub = tmp_path / program
        stub.write_text(f'#!/bin/sh\necho "{program} $*" >> {log}\n{body}\n')
        stub.chmod(0o755)
    # Nothing outside the folder may be changed: systemd-sysctl's path is absolute.
    script = content(name, files.SETUP).replace("/usr/lib/systemd/systemd-sysctl", "true")
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=False,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )  # fmt: skip
    return Ran(done.returncode, done.stderr, log.read_text().splitlines())


def test_bare_metal_gets_its_pcie_settings(tmp_path: Path) -> None:
    ran = run_setup("ubuntu-24.04-infiniband", tmp_path, systemd_detect_virt="exit 1")
    assert ran.status == 0, ran.told
    writes = [call for call in ran.calls if "CAP_EXP" in call]
    assert len(writes) == 8
    # Device control: 5 in bits 14 to 12 is 4096 bytes, bit 4 relaxed ordering
    assert writes[0] == "setpci -s 0000:41:00.0 CAP_EXP+8.w=5010:7010"


def test_a_guest_s_pcie_settings_are_left_alone(tmp_path: Path) -> None:
    ran = run_setup("ubuntu-24.04-infiniband", tmp_path)
    assert ran.status == 0
    assert not [call for call in ran.calls if call.startswith("setpci")]


def test_a_card_that_takes_no_setting_is_named_and_the_others_get_theirs(tmp_path: Path) -> None:
    refusing = 'case "$*" in *43:00.0*) exit 1 ;; esac'
    ran = run_setup(
        "ubuntu-24.04-infiniband", tmp_path, systemd_detect_virt="exit 1", setpci=refusing
    )
    assert ran.status == 1
    assert ran.told.startswith("0000:43:00.0 does not take its PCIe settings (FabricSettings.")
    assert len([call for call in ran.calls if "CAP_EXP" in call]) == 8


def test_roce_gets_its_mtu_and_lossless_priority(tmp_path: Path) -> None:
    calls = run_setup("ubuntu-24.04-roce", tmp_path).calls
    assert "ip link set dev gpu0_eth mtu 9000" in calls
    assert "dcb pfc set dev gpu0_eth prio-pfc all:off 3:on" in calls
    assert "dcb app replace dev gpu0_eth dscp-prio 26:3" in calls


def test_a_software_link_is_made_for_an_interface(tmp_path: Path) -> None:
    ran = run_setup("debian-12-soft", tmp_path)
    assert "rdma link add rxe_eth1 type rxe netdev eth1" in ran.calls
    failed = run_setup("debian-12-soft", tmp_path, rdma="exit 1")
    assert failed.status == 1
    assert "eth1 got no software RoCE" in failed.told
