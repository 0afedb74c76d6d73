"""The road: two fresh nodes, Debian 12 and 13, by plain `pyinfra`, to an audit that says go."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab.hands import Done, audit, failing, on, reset, typed

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("road")]

NODES = ("node-1", "trixie-1")
ROAD = ",".join(NODES)
INVENTORY = "inventories/lab.py"


@dataclass
class Walk:
    boots_before: dict[str, str]
    first: Done


@pytest.fixture(scope="module")
def walk() -> Iterator[Walk]:
    """Two fresh nodes taken down the road once, by the command in the README."""
    for suite in ("bookworm", "trixie"):
        done = typed("flightline", "lab", "up", "--nodes", "1", "--suite", suite)
        assert done.returncode == 0, done.stderr
    reset(*NODES)
    boots = {node: on(node, "cat /proc/sys/kernel/random/boot_id") for node in NODES}
    yield Walk(boots, typed("pyinfra", "-y", INVENTORY, "deploy.py", nodes=ROAD))


def test_plain_pyinfra_takes_fresh_nodes_down_the_whole_road(walk: Walk) -> None:
    assert walk.first.returncode == 0, walk.first.stdout[-6000:] + walk.first.stderr[-6000:]


@pytest.mark.parametrize("node", NODES)
def test_the_node_was_rebooted_once_inside_the_run(walk: Walk, node: str) -> None:
    assert on(node, "cat /proc/sys/kernel/random/boot_id") != walk.boots_before[node]
    assert on(node, "journalctl --list-boots -q --no-pager | wc -l") in {"1", "2"}


@pytest.mark.parametrize("node", NODES)
def test_the_declared_kernel_is_live(walk: Walk, node: str) -> None:
    words = on(node, "cat /proc/cmdline").split()
    assert {"iommu=pt", "transparent_hugepage=madvise", "nouveau.modeset=0"} <= set(words)
    assert "HugePages_Total:      64" in on(node, "cat /proc/meminfo")
    assert "[madvise]" in on(node, "cat /sys/kernel/mm/transparent_hugepage/enabled")
    assert "nouveau" not in on(node, "cat /proc/modules")
    assert on(node, "cat /proc/sys/vm/swappiness") == "1"


@pytest.mark.parametrize("node", NODES)
def test_the_declared_limits_hold_in_a_fresh_login(walk: Walk, node: str) -> None:
    done = typed("flightline", "lab", "ssh", node, "--", "ulimit -l; ulimit -n")
    assert done.stdout.split() == ["unlimited", "1048576"]
    assert on(node, "systemctl show -p DefaultLimitMEMLOCK --value") == "infinity"


@pytest.mark.parametrize("node", NODES)
def test_a_container_runs(walk: Walk, node: str) -> None:
    assert on(node, "systemctl is-active docker") == "active"
    libraries = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 usr/lib/x86_64-linux-gnu/libc.so.6"
    image = f"tar -C / -c bin lib lib64 usr/bin/dash usr/lib64 {libraries}"
    on(node, f"{image} | docker import - road >/dev/null")
    said = on(node, 'docker run --rm --network none road /usr/bin/dash -c "ulimit -l"')
    assert said == "unlimited"


def test_the_same_command_again_changes_nothing(walk: Walk) -> None:
    done = typed("pyinfra", "-y", "--json", INVENTORY, "deploy.py", nodes=ROAD)
    assert done.returncode == 0, done.stderr[-4000:]
    results = json.loads(done.stdout)["results"]
    changed = [each["name"] for each in results["operations"] if each["success"]]
    assert not changed


def test_a_second_apply_changes_nothing_in_35_commands_a_node(walk: Walk) -> None:
    done = typed("flightline", "apply", INVENTORY, "--stats", "--no-audit", nodes=ROAD)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for node in NODES:
        assert f"{node}: nothing to change" in said
        commands, uploads = re.search(rf"│ {node} +│ +(\d+) │ +(\d+) │", said).groups()  # type: ignore[union-attr]
        assert int(commands) + int(uploads) <= 35, said


def test_a_plan_after_the_apply_has_nothing_pending(walk: Walk) -> None:
    done = typed("flightline", "plan", INVENTORY, "--detailed-exitcode", nodes=ROAD)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_audit_says_go_in_3_commands_a_node(walk: Walk) -> None:
    code, report = audit(ROAD)
    assert failing(report) == set()
    assert code == 0
    assert report["summary"]["verdict"] == "go"
    for node in report["nodes"]:
        assert len(node["checks"]) >= 40
        assert node["remote_commands"] <= 3


def test_nodes_reach_one_another_on_the_second_network(walk: Walk) -> None:
    other = on("trixie-1", "ip -4 -o addr show eth1").split()[3].split("/")[0]
    assert " 0% packet loss" in on("node-1", f"ping -c 2 -W 5 {other}")


def test_nodes_move_data_over_rdma_and_say_how_fast(walk: Walk) -> None:
    code, report = audit(ROAD, "--phase", "acceptance", "--role", "fabric")
    assert code == 0, report
    for node in NODES:
        assert "PORT_ACTIVE" in on(node, "ibv_devinfo -d rxe_eth1")


def test_a_node_without_a_gpu_is_not_concerned_and_says_why(walk: Walk) -> None:
    code, report = audit(ROAD, "--role", "nvidia")
    assert code == 0
    found = [check for node in report["nodes"] for check in node["checks"]]
    assert {each["outcome"] for each in found} == {"not-applicable"}
    proofs = ("PCI bus", "NvidiaSettings.")  # no GPU is there, or the setting asks for nothing
    assert all(any(proof in each["message"] for proof in proofs) for each in found)
    for node in NODES:
        assert on(node, "dpkg -l | grep -c nvidia || true") == "0"
