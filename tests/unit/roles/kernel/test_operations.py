"""What is done to a running kernel, as data under repairs/, and what a node is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from flightline.facts.node import NodeFacts, NumaNode
from roles.kernel.facts import KernelState, RunningKernel, parse_running
from roles.kernel.operations import refusal, repairs
from roles.kernel.settings import KernelSettings

CASES = sorted((Path(__file__).parent / "repairs").glob("*.yaml"))
SETTINGS = KernelSettings(hugepages_2mib_per_node=64)
DECLARED = (
    "ro modprobe.blacklist=nouveau nouveau.modeset=0 rd.driver.blacklist=nouveau iommu=pt "
    "transparent_hugepage=madvise hugepagesz=2M hugepages=64"
)
AS_DECLARED: dict[str, Any] = {
    "cmdlines": {"running": DECLARED, "next_boot": [DECLARED]},
    "hugepages": {
        "pools": [
            {"node": 0, "size_kib": 2048, "pages": 64},
            {"node": 0, "size_kib": 1048576, "pages": 0},
        ],
        "mounts": {"/dev/hugepages": 2048},
    },
    "stale_initramfs": [],
    "modules": ["ipmi_msghandler"],
    "sysctl": {"vm.swappiness": "1"},
    "transparent_hugepages": "madvise",
    "governors": [],
    "swaps": [],
    "limits": {
        "DefaultLimitMEMLOCK": "infinity",
        "DefaultLimitNOFILE": "1048576",
        "DefaultLimitSTACKSoft": "67108864",
    },
}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_drift_is_answered_with_its_commands(path: Path, node: NodeFacts) -> None:
    case = yaml.safe_load(path.read_text())
    state = cast("RunningKernel", {**AS_DECLARED, **case.get("state", {})})
    commands = repairs(SETTINGS, replace(node, **case.get("node", {})), state)
    if "commands" in case:
        assert commands == case["commands"]
    else:
        assert [command.splitlines()[0] for command in commands] == case["first_lines"]
    for part in case.get("contains", []):
        assert part in "\n".join(commands)


def test_swap_and_nouveau_stay_where_they_are_wanted(node: NodeFacts) -> None:
    settings = SETTINGS.model_copy(update={"swap": True, "nouveau_removed": False})
    state = {**AS_DECLARED, "swaps": ["/dev/sda2"], "modules": ["nouveau", "ipmi_msghandler"]}
    assert repairs(settings, node, cast("RunningKernel", state)) == []


def test_huge_pages_beyond_memory_are_refused_in_one_sentence(node: NodeFacts) -> None:
    sentence = refusal(KernelSettings(hugepages_1gib_per_node=2), node)
    assert sentence is not None
    assert "2.0 GiB on NUMA node 0, which has 1.9 GiB" in sentence
    assert "hugepages_max_fraction" in sentence
    assert "\n" not in sentence


def test_each_numa_node_must_hold_its_own_pages(server: NodeFacts) -> None:
    settings = KernelSettings(hugepages_1gib_per_node=200)
    assert refusal(settings, server) is None
    lopsided = replace(server, numa_nodes=(*server.numa_nodes[:1], NumaNode(1, 64 * 1024**3)))
    assert "NUMA node 1" in (refusal(settings, lopsided) or "")


def test_one_script_asks_for_everything_and_its_answer_is_taken_apart() -> None:
    script = KernelState().command(["vm.swappiness"], ["nouveau"], "/etc/modprobe.d/x.conf")
    names = [line[9:-1] for line in script.splitlines() if line.startswith("echo '@@ ")]
    assert set(names) == set(RunningKernel.__annotations__)


def test_the_answer_of_a_lab_node_is_understood() -> None:
    answer = (
        "@@ cmdlines\nBOOT_IMAGE=/vmlinuz ro\n root=UUID=f25c ro iommu=pt\n"
        "@@ hugepages\npool node0 hugepages-2048kB 64\nmount /dev/hugepages rw,pagesize=2M\n"
        "@@ stale_initramfs\n@@ modules\nipmi_msghandler\n@@ sysctl\nvm.swappiness = 1\n"
        "@@ transparent_hugepages\nalways [madvise] never\n@@ governors\n@@ swaps\n"
        "@@ limits\nDefaultLimitMEMLOCK=infinity\n"
    )
    state = parse_running(answer.splitlines())
    assert state["cmdlines"]["next_boot"] == ["root=UUID=f25c ro iommu=pt"]
    assert state["transparent_hugepages"] == "madvise"
    assert (state["swaps"], state["governors"], state["stale_initramfs"]) == ([], [], [])
    assert state["limits"] == {"DefaultLimitMEMLOCK": "infinity"}
