"""What the checks conclude from answers that neither a lab node nor the recorded faults give."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from flightline.audit.check import REGISTRY, NotApplicable, Unknown
from roles.fabric import checks, evidence
from roles.fabric.error_checks import Limit
from roles.fabric.port_checks import largest_mtu
from roles.fabric.settings import FabricSettings
from tests.machines import machine
from tests.unit.roles.fabric.machines import EMPTY, text

assert checks

NAMES = [name for name in REGISTRY if name.startswith("fabric-")]
CONVERGED = [name for name in NAMES if "acceptance" not in name]


class Told:
    """A host that answers as a recorded machine, but for some commands."""

    def __init__(self, name: str = "h100_sxm_8", **labels: Any) -> None:
        recorded = machine(name)
        self.answers = dict(recorded.answers)
        for label, stdout in labels.items():
            command = recorded.labels[label.replace("_", "-")]
            self.answers[command] = replace(self.answers[command], stdout=stdout.encode())

    def run(self, command: str) -> Any:
        answer = self.answers[command]
        return SimpleNamespace(stdout=answer.stdout.decode(), rc=answer.exit_status, stderr="")


def judge(name: str, host: Told, settings: FabricSettings | None = None) -> None:
    REGISTRY[name].function(host, settings or machine("h100_sxm_8").settings["fabric"])


@pytest.mark.parametrize("name", CONVERGED)
def test_a_node_without_rdma_is_not_concerned_and_says_why(name: str) -> None:
    with pytest.raises(NotApplicable) as reason:
        judge(name, Told(fabric_rdma=EMPTY), FabricSettings())
    assert str(reason.value)


@pytest.mark.parametrize("name", CONVERGED)
def test_an_answer_that_is_cut_short_is_never_a_pass(name: str) -> None:
    short = text()[: len(text()) // 2]
    settings = machine("a100_sxm_8").settings["fabric"]
    with pytest.raises((Unknown, NotApplicable)):
        judge(name, Told(fabric_rdma=short), settings)  # type: ignore[arg-type]


def test_off_says_that_it_is_the_settings_wish() -> None:
    with pytest.raises(NotApplicable, match='enabled is "off"'):
        judge("fabric-ports-active", Told(), FabricSettings(enabled="off"))


def test_a_card_that_no_driver_took_is_named() -> None:
    idle = text("h100_sxm_8", ("^route:bond0$", "route:bond0\ncard:0000:7f:00.0"))
    with pytest.raises(AssertionError, match=r"0000:7f:00\.0 has no RDMA device"):
        judge("fabric-devices-present", Told(fabric_rdma=idle))


def test_the_slowest_port_is_named_where_no_rate_is_declared() -> None:
    slow = text("h100_sxm_8", ("mlx5_5/ports/1/rate:.*", "mlx5_5/ports/1/rate:100 Gb/sec (4X EDR)"))
    with pytest.raises(AssertionError, match="mlx5_5:1 runs at 100 Gb/s, expected at least 400"):
        judge("fabric-ports-rate", Told(fabric_rdma=slow), FabricSettings())


def test_pcie_of_a_guest_is_not_judged() -> None:
    for name in ("fabric-pcie-acs", "fabric-pcie-request", "fabric-pcie-ordering"):
        with pytest.raises(NotApplicable, match="virtual"):
            judge(name, Told(fabric_virtual="kvm\n"))


def test_a_configuration_that_root_could_not_read_is_unknown() -> None:
    bare = text("h100_sxm_8", ("(mlx5_6/config:.{128}).*", r"\g<1>"))
    with pytest.raises(Unknown, match="mlx5_6"):
        judge("fabric-pcie-request", Told(fabric_rdma=bare))


@pytest.mark.parametrize("printed", ["no setpci\n", "", "0000:15:00.0 001d\n"])
def test_acs_that_cannot_be_read_is_unknown(printed: str) -> None:
    with pytest.raises(Unknown):
        judge("fabric-pcie-acs", Told(fabric_acs=printed))


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("0000:15:00.0 001d\nend\n", ("0000:15:00.0",)),
        ("0000:15:00.0 0000\nend\n", ()),
        ("0000:15:00.0\nend\n", ()),  # a bridge without ACS
        ("0000:15:00.0 0002\nend\n", ()),  # translation blocking redirects nothing
    ],
)
def test_only_the_bits_that_redirect_count(printed: str, expected: tuple[str, ...]) -> None:
    assert evidence.redirecting(printed) == expected


@pytest.mark.parametrize(
    ("port", "interface", "expected"),
    [
        (4096, None, 4096),
        (4096, 1500, 1024),
        (4096, 4200, 4096),
        (4096, 4191, 2048),
        (1024, 9000, 1024),
    ],
)
def test_the_mtu_that_roce_can_use_leaves_room_for_its_headers(
    port: int, interface: int | None, expected: int
) -> None:
    assert largest_mtu(port, interface) == expected


def test_the_first_hour_and_day_count_whole() -> None:
    assert Limit(120, "hour").spans(60) == 1
    assert Limit(120, "hour").spans(7200) == 2
    assert Limit(5, "day").spans(7200) == 1


def test_counters_that_are_not_zero_are_no_failure() -> None:
    old = text("h100_sxm_8", ("counters/link_downed:.*", "counters/link_downed:255"))
    judge("fabric-errors-flaps", Told(fabric_rdma=old))  # in 104 days


def test_an_infiniband_device_without_its_management_device_is_named() -> None:
    bare = text("h100_sxm_8", ("^mad:.*mlx5_6$", ""))
    with pytest.raises(AssertionError, match="mlx5_6 has no umad device"):
        judge("fabric-characters-open", Told(fabric_rdma=bare))


def test_real_output_of_ibv_devinfo_is_understood() -> None:
    printed = (
        "hca_id:\trxe_eth1\n\ttransport:\t\t\tInfiniBand (0)\n\tphys_port_cnt:\t\t\t1\n"
        "\t\tport:\t1\n\t\t\tstate:\t\t\tPORT_ACTIVE (4)\n\t\t\tmax_mtu:\t\t4096 (5)\n"
        "\t\t\tactive_mtu:\t\t1024 (3)\n\t\t\tsm_lid:\t\t\t0\n\n"
    )
    assert evidence.parse_verbs(printed) == {"rxe_eth1:1": evidence.VerbsPort(1024, 4096)}


def test_a_missing_program_is_unknown_and_no_device_is_a_failure() -> None:
    host = Told()
    host.answers[evidence.VERBS] = replace(
        host.answers[evidence.VERBS], exit_status=127, stdout=b""
    )
    with pytest.raises(Unknown, match="not installed"):
        judge("fabric-verbs-usable", host)
    with pytest.raises(AssertionError, match="does not open mlx5_0:1"):
        judge("fabric-verbs-usable", Told(fabric_verbs="No IB devices found\n"))


@pytest.mark.parametrize("command", ["ACCESS_CONTROL", "LOSSLESS", "BRIDGES"])
def test_a_question_is_good_shell(command: str) -> None:
    subprocess.run(["sh", "-n", "-c", getattr(evidence, command)], check=True)


def test_rhel_s_locks_count_as_holds() -> None:
    settings = FabricSettings()
    lines = "rhel\nii rdma-core\nii perftest\nlock rdma-core-0:51.0-1.el9.*\n"
    host = SimpleNamespace(run=lambda _: SimpleNamespace(stdout=lines))
    found = evidence.packages(host, settings)
    assert (found.family, found.held) == ("rhel", frozenset({"rdma-core"}))
    assert found.installed == {"rdma-core", "perftest"}
