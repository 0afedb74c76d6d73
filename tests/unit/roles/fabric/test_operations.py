"""What is done to a running fabric, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.context import ctx_host

from flightline.errors import NodeRefused
from flightline.gpu.rdma import parse_rdma
from roles.fabric import operations, sources
from roles.fabric.facts import Fabric, Rdma, fabric_of, forget_fabric
from roles.fabric.operations import refuse_strangers, repairs
from roles.fabric.settings import DocaSettings, FabricSettings
from tests.machines import fabric as machines
from tests.unit.roles.fabric.machines import EMPTY, SOFT, running, text

RESTART = "systemctl restart flightline-fabric.service"
LAB = FabricSettings(soft_roce_interfaces=("eth1",), interface_mtu_bytes=4200)
SOFT_FABRIC = Fabric(parse_rdma(SOFT), None, {}, is_set_up=True)


def commands(settings: FabricSettings, fabric: Fabric, *, is_virtual: bool = False) -> list[str]:
    """The commands, the restart without what it says on failure."""
    return [each.split(" ||")[0] for each in repairs(settings, fabric, is_virtual=is_virtual)]


@pytest.mark.parametrize("name", machines.MACHINES)
def test_a_sound_machine_needs_nothing(name: str) -> None:
    assert commands(machines.settings(name), running(name)) == []


def test_a_sound_lab_node_needs_nothing() -> None:
    assert commands(LAB, SOFT_FABRIC, is_virtual=True) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("device:rxe_eth1\n", "", [RESTART]),
        ("device:rxe_eth1", "device:rxe_eth1\ndevice:rxe_eth0", [RESTART]),
        ("eth1/mtu:4200", "eth1/mtu:1500", [RESTART]),
        ("rp_filter:2", "rp_filter:1", [RESTART]),
        ("module:rdma_ucm\n", "", ["modprobe -a -- rdma_ucm"]),
    ],
)
def test_a_drift_is_answered_with_its_command(before: str, after: str, expected: list[str]) -> None:
    drifted = replace(SOFT_FABRIC, report=parse_rdma(SOFT.replace(before, after)))
    assert commands(LAB, drifted) == expected


def test_a_unit_that_has_not_run_is_started() -> None:
    assert commands(LAB, replace(SOFT_FABRIC, is_set_up=False)) == [RESTART]


def test_pcie_is_set_on_bare_metal_and_left_alone_in_a_guest() -> None:
    settings = machines.settings("h100_sxm_8")
    drifted = replace(running(), redirecting=("0000:15:00.0",))
    assert commands(settings, drifted) == [RESTART]
    assert commands(settings, drifted, is_virtual=True) == []
    kept = settings.model_copy(update={"acs": "keep"})
    assert commands(kept, drifted) == []


def test_one_card_with_small_reads_is_enough() -> None:
    small = running("h100_sxm_8", ("(mlx5_6/config:[0-9a-f]{210})5", r"\g<1>2"))
    assert commands(machines.settings("h100_sxm_8"), small) == [RESTART]


def test_lost_priorities_are_set_again() -> None:
    settings = machines.settings("a100_sxm_8")
    lost = running("a100_sxm_8")
    assert commands(settings, replace(lost, lossless={**lost.lossless, "gpu1_eth": set()})) == [
        RESTART
    ]


def test_an_interface_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(NodeRefused, match=r"eth7 is no interface of this node.*it has eth0\.$"):
        refuse_strangers(
            FabricSettings(soft_roce_interfaces=("eth7",)),
            Fabric(parse_rdma(EMPTY), None, {}, is_set_up=False),
        )


def test_one_script_asks_for_everything_and_its_answer_is_taken_apart() -> None:
    answers = machines.answers("a100_sxm_8")
    bridges, priorities = (answers[label].stdout.decode() for label in ("fabric-acs", "fabric-pfc"))
    printed = "\n".join(
        [text("a100_sxm_8"), "@@ bridges", bridges, "@@ lossless", priorities, "@@ unit", "active"]
    )
    found = Rdma().process(printed.splitlines())
    assert len(found.report.devices) == 9
    assert (found.redirecting, found.is_set_up) == ((), True)
    assert set(found.lossless) == {f"gpu{number}_eth" for number in range(8)}
    assert {3} in found.lossless.values()


def test_before_setpci_is_installed_acs_is_not_known_and_nothing_is_wrong() -> None:
    printed = [*SOFT.splitlines(), "@@ bridges", "no setpci", "@@ lossless", "", "@@ unit", ""]
    found = Rdma().process(printed)
    assert (found.redirecting, found.lossless, found.is_set_up) == (None, {}, False)


@pytest.mark.parametrize("content", [None, "not a key", "\N{SNOWMAN}"])
def test_a_missing_key_is_refused_with_the_file_to_supply(
    content: str | None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, node: Any
) -> None:
    monkeypatch.setattr("roles.fabric.sources.project.root", lambda: tmp_path)
    if content is not None:
        (tmp_path / "doca.asc").write_text(content)
    doca = DocaSettings(repository_url="https://x.example.org/doca", key_file="doca.asc")
    settings = FabricSettings(stack="doca", doca=doca)
    with pytest.raises(NodeRefused, match=r"doca\.asc.*DocaSettings\.key_file"):
        sources.repository(settings, node)


class Node:
    """Stands for pyinfra's host; answers every question with one fact."""

    name = "gpu-07"

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[object] = []

    def get_fact(self, fact: object, **_arguments: object) -> object:
        self.asked.append(fact)
        return self.answer

    def noop(self, _text: str) -> None:
        pass


@pytest.mark.parametrize("settings", [FabricSettings(), FabricSettings(enabled="off")])
def test_a_node_without_rdma_is_asked_one_question(settings: FabricSettings) -> None:
    node = Node(Fabric(parse_rdma(EMPTY), None, {}, is_set_up=False))
    steps = (operations.fabric_files, operations.fabric_packages, operations.running_fabric)
    with ctx_host.use(node):
        assert [list(step._inner(settings=settings)) for step in steps] == [[], [], []]
    assert node.asked == [Rdma]


def test_a_node_that_does_not_answer_is_refused() -> None:
    with ctx_host.use(Node(None)):
        (command,) = operations.fabric_files._inner(settings=FabricSettings())
    assert "did not say which RDMA devices" in str(command)


def test_a_fabric_that_is_as_declared_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(replace(SOFT_FABRIC, redirecting=()))
    with ctx_host.use(node):
        fabric_of(node)
        monkeypatch.setattr(operations, "node_of", lambda _: SimpleNamespace(is_virtual=True))
        assert list(operations.running_fabric._inner(settings=LAB)) == []
        assert node.asked == [Rdma]
        forget_fabric(node)
        assert list(operations.running_fabric._inner(settings=LAB)) == []
        assert node.asked == [Rdma, Rdma]
