"""What settings mean for a fabric: which ports, which lines for NCCL, whether there is work."""

from __future__ import annotations

import pytest

from flightline.gpu.rdma import parse_rdma
from roles.fabric import wanted
from roles.fabric.settings import FabricSettings
from tests.machines import fabric as machines
from tests.unit.roles.fabric.machines import EMPTY, SOFT, report

H100 = "=" + ",".join(f"{name}:1" for name in machines.HCAS)


def test_nccl_gets_the_rails_and_neither_bond_nor_storage() -> None:
    lines = wanted.nccl_lines(FabricSettings(), report())
    assert lines == {"NCCL_IB_HCA": H100, "NCCL_SOCKET_IFNAME": "=bond0"}


def test_a_storage_port_is_left_out_by_its_name() -> None:
    settings = FabricSettings(excluded_ports=("*_bond_*", "mlx5_4"))
    assert "mlx5_4" not in wanted.nccl_lines(settings, report())["NCCL_IB_HCA"]


def test_a_pulled_cable_does_not_rewrite_nccl_conf() -> None:
    pulled = report("h100_sxm_8", ("mlx5_5/ports/1/state:.*", "mlx5_5/ports/1/state:1: DOWN"))
    assert wanted.nccl_lines(FabricSettings(), pulled)["NCCL_IB_HCA"] == H100


def test_roce_tells_nccl_its_address_and_class_and_infiniband_does_not() -> None:
    settings = FabricSettings(roce_gid_index=3, roce_traffic_class=104)
    roce = wanted.nccl_lines(settings, report("a100_sxm_8"))
    assert (roce["NCCL_IB_GID_INDEX"], roce["NCCL_IB_TC"]) == ("3", "104")
    assert not {"NCCL_IB_GID_INDEX", "NCCL_IB_TC"} & set(wanted.nccl_lines(settings, report()))


def test_software_links_are_named_before_they_exist() -> None:
    settings = FabricSettings(soft_roce_interfaces=("eth1",), nccl_socket_interface="eth1")
    lines = wanted.nccl_lines(settings, parse_rdma(EMPTY))
    assert lines == {"NCCL_IB_HCA": "=rxe_eth1:1", "NCCL_SOCKET_IFNAME": "=eth1"}
    assert wanted.nccl_lines(settings, parse_rdma(SOFT)) == lines


def test_named_ports_leave_the_unwired_ones_out() -> None:
    settings = FabricSettings(ports=("mlx5_[01]:1",))
    names = [port.name for port in wanted.compute_ports(settings, report())]
    assert names == ["mlx5_0:1", "mlx5_1:1"]


def test_ethernet_ports_are_no_rails_beside_infiniband() -> None:
    settings = FabricSettings(excluded_ports=())
    assert all(port.is_infiniband for port in wanted.compute_ports(settings, report()))


def test_a_guest_s_virtual_function_is_no_rail_of_its_host() -> None:
    split = report("h100_sxm_8", ("^device:mlx5_9$", "device:mlx5_9\nmlx5_9/virtual_function:yes"))
    names = [port.device for port in wanted.compute_ports(FabricSettings(), split)]
    assert "mlx5_9" not in names
    named = wanted.compute_ports(FabricSettings(ports=("mlx5_9",)), split)
    assert [port.device for port in named] == ["mlx5_9"]


@pytest.mark.parametrize(
    ("settings", "text", "expected"),
    [
        (FabricSettings(), EMPTY, False),
        (FabricSettings(enabled="always"), EMPTY, True),
        (FabricSettings(enabled="off"), SOFT, False),
        (FabricSettings(), SOFT, True),
        (FabricSettings(soft_roce_interfaces=("eth0",)), EMPTY, True),
        (FabricSettings(), EMPTY.replace("end", "card:0000:18:00.0\nend"), True),
    ],
)
def test_a_node_is_concerned_by_what_it_has_or_is_declared(
    settings: FabricSettings, text: str, expected: bool
) -> None:
    assert wanted.concerns(settings, parse_rdma(text)) is expected


def test_peermem_is_loaded_only_beside_the_driver() -> None:
    settings = FabricSettings(peer_memory="peermem")
    assert "nvidia_peermem" in wanted.modules(settings, report())
    assert "nvidia_peermem" not in wanted.modules(settings, parse_rdma(SOFT))


def test_nothing_is_held_where_the_site_does_not_want_it() -> None:
    assert wanted.held_packages(FabricSettings(hold_packages=False), "debian") == ()
    assert "pciutils" not in wanted.held_packages(FabricSettings(), "debian")
