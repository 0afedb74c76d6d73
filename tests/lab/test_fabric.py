"""The fabric role on two real nodes: software RoCE between them, and RDMA that really moves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.conftest import Lab, LabNode

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("fabric")]

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DEPLOY = """\
from pyinfra.context import host
from flightline.settings import declared
from roles.fabric import FabricSettings, fabric

fabric(settings=declared(host.data, "fabric", FabricSettings))
"""
NODES = """\
from flightline.lab.inventory import running_nodes
from roles.fabric.settings import FabricSettings

fabric = FabricSettings({fields})
fabric_nodes = [(name, {{**data, "fabric": fabric}}) for name, data in running_nodes()]
"""
# 4200 bytes let RDMA use packets of 4096, as an InfiniBand or jumbo-frame fabric does.
SOFT = """\
enabled="always", soft_roce_interfaces=("eth1",), ports_expected=1, link_layer="Ethernet",
    roce_gid_index=1, interface_mtu_bytes=4200, rdma_mtu_bytes=4096, nccl_socket_interface="eth1"
"""


@dataclass(frozen=True)
class Deployed:
    """Two nodes with the role applied to them, and how to apply it again."""

    lab: Lab
    nodes: tuple[LabNode, ...]
    folder: Path

    def apply(self, fields: str) -> dict[str, set[str]]:
        """Apply the role; return the names of operations that changed something, by node."""
        done = self._run("pyinfra", "-y", "--json", *self._files(fields), seconds=1500)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        results = json.loads(done.stdout)["results"]["operations"]
        return {
            node.name: {each["name"] for each in results if node.name in each["success"]}
            for node in self.nodes
        }

    def audit(self) -> tuple[int, str]:
        """Return the audit's exit code and table."""
        nodes, _ = self._files(SOFT)
        done = self._run("flightline", "audit", nodes, "--role", "fabric", seconds=600)
        return done.returncode, done.stdout + done.stderr

    def _files(self, fields: str) -> tuple[str, str]:
        (self.folder / "fabric_nodes.py").write_text(NODES.format(fields=fields))
        (self.folder / "fabric_deploy.py").write_text(DEPLOY)
        return str(self.folder / "fabric_nodes.py"), str(self.folder / "fabric_deploy.py")

    def _run(
        self, command: str, *arguments: str, seconds: float
    ) -> subprocess.CompletedProcess[str]:
        own = {
            "FLIGHTLINE_LAB_STATE": str(self.lab.state),
            "FLIGHTLINE_RUNS": str(self.folder / "runs"),
            "PYINFRA_PROGRESS": "off",
        }
        return subprocess.run(
            [str(BIN / command), *arguments],
            cwd=ROOT, env={**os.environ, **own}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def untouched(
    lab: Lab, two_nodes: tuple[LabNode, ...], tmp_path_factory: pytest.TempPathFactory
) -> Deployed:
    """Two fresh nodes that have no RDMA."""
    lab.run("reset", *(node.name for node in two_nodes))
    return Deployed(lab, lab.nodes(2), tmp_path_factory.mktemp("fabric"))


@pytest.fixture(scope="module")
def fabric(untouched: Deployed) -> Iterator[Deployed]:
    """The two nodes with software RoCE between them."""
    changed = untouched.apply(SOFT)
    assert all(len(names) == 3 for names in changed.values()), changed
    yield untouched


def test_a_node_without_rdma_is_left_alone(untouched: Deployed) -> None:
    assert untouched.apply("") == {node.name: set() for node in untouched.nodes}
    assert "no" in untouched.nodes[0].output("test -e /etc/nccl.conf || echo no")


def test_the_role_a_second_time_changes_nothing(fabric: Deployed) -> None:
    assert fabric.apply(SOFT) == {node.name: set() for node in fabric.nodes}


def test_libibverbs_finds_an_active_port_with_the_declared_mtu(fabric: Deployed) -> None:
    for node in fabric.nodes:
        said = node.output("ibv_devinfo -d rxe_eth1")
        assert "PORT_ACTIVE" in said
        assert re.search(r"active_mtu:\s+4096", said)


def test_the_address_that_nccl_is_told_of_is_the_interface_s_own(fabric: Deployed) -> None:
    for node in fabric.nodes:
        conf = node.output("cat /etc/nccl.conf").splitlines()
        assert "NCCL_IB_HCA==rxe_eth1:1" in conf
        (index,) = (line.split("=")[1] for line in conf if line.startswith("NCCL_IB_GID_INDEX"))
        gid = node.output(f"cat /sys/class/infiniband/rxe_eth1/ports/1/gids/{index}")
        last = [int(part, 16) for part in gid.split(":")[-2:]]
        found = ".".join(str(part) for word in last for part in divmod(word, 256))
        assert found == address(node)


def test_rdma_moves_memory_between_the_nodes(fabric: Deployed) -> None:
    """No threshold: an emulated node's figure says nothing; that it runs does."""
    server, client = fabric.nodes
    test = "ib_write_bw -d rxe_eth1 -x 1 -s 65536 -n 100"
    with ThreadPoolExecutor() as pool:
        listening = pool.submit(server.ssh, f"timeout 120 {test}")
        wait_for(server, "ss -Hltn sport = :18515 | grep -q .")
        ran = client.ssh(f"timeout 90 {test} {address(server)}")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert listening.result().returncode == 0
    assert re.search(r"^ 65536 +100 +[0-9.]+ +[0-9.]+ ", ran.stdout, re.MULTILINE)
    assert "Mtu             : 4096[B]" in ran.stdout


def test_the_audit_finds_nothing_against_either_node(fabric: Deployed) -> None:
    code, said = fabric.audit()
    assert code == 0, said


def test_all_of_it_is_there_again_after_a_reboot(fabric: Deployed) -> None:
    node = fabric.nodes[0]
    boot = node.output("cat /proc/sys/kernel/random/boot_id")
    with suppress(subprocess.TimeoutExpired):  # a machine that goes down may not hang up
        node.ssh("sudo systemctl reboot", 60)
    wait_for(node, f"! grep -q {boot} /proc/sys/kernel/random/boot_id")
    wait_for(node, "systemctl is-active -q flightline-fabric.service")
    assert fabric.apply(SOFT)[node.name] == set()
    code, said = fabric.audit()
    assert code == 0, said


def test_software_links_go_when_they_are_no_longer_declared(fabric: Deployed) -> None:
    fabric.apply('enabled="always"')
    assert fabric.nodes[0].output("ls /sys/class/infiniband") == ""


def address(node: LabNode) -> str:
    return node.output("ip -4 -o addr show eth1").split()[3].split("/")[0]


def wait_for(node: LabNode, condition: str, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(subprocess.TimeoutExpired):
            if node.ssh(condition, 60).returncode == 0:
                return
        time.sleep(2)
    raise AssertionError(f"{node.name}: {condition}: not within {seconds:.0f} s")
