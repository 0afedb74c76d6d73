"""RDMA devices from sysfs: real lines, a captured tree, and what is cut short."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.gpu.pci_config import parse_config
from flightline.gpu.rdma import SCRIPT, parse_rdma

SAMPLE = Path(__file__).parents[4] / "shared/samples/sys-class-infiniband.h100.gpud.tar.gz"

# As the script printed it on a node with Soft-RoCE (Debian 12, Linux 6.1, 2026-11-21).
SOFT = """\
uptime:342.16
module:ib_uverbs
module:rdma_rxe
route:eth0
route6:00400003 eth0
route6:00200200 lo0
character:755 /dev/infiniband/by-ibdev
character:666 /dev/infiniband/uverbs0
verbs:uverbs0/ibdev:rxe_eth1
net:eth1/mtu:1500
net:eth1/operstate:up
net:eth1/type:1
net:eth1/arp_ignore:0
net:eth1/arp_announce:0
net:eth1/rp_filter:0
device:rxe_eth1
rxe_eth1/node_guid:5054:00ff:fe88:000c
rxe_eth1/parent:eth1
rxe_eth1/ports/1/state:4: ACTIVE
rxe_eth1/ports/1/phys_state:5: LinkUp
rxe_eth1/ports/1/rate:2.5 Gb/sec (1X SDR)
rxe_eth1/ports/1/link_layer:Ethernet
rxe_eth1/ports/1/lid:0x0
rxe_eth1/ports/1/sm_lid:0x0
rxe_eth1/ports/1/hw_counters/link_downed:0
rxe_eth1/ports/1/hw_counters/rcvd_pkts:17
rxe_eth1/ports/1/gid:0,RoCE v2,eth1,fe80:0000:0000:0000:5054:00ff:fe88:000c
rxe_eth1/ports/1/gid:1,RoCE v2,eth1,0000:0000:0000:0000:0000:ffff:0a58:000c
end
"""


def test_software_roce_is_a_device_without_a_card() -> None:
    report = parse_rdma(SOFT)
    (device,) = report.devices
    assert (device.name, device.is_software, device.verbs) == ("rxe_eth1", True, "uverbs0")
    assert device.express is None
    (port,) = report.ports
    assert (port.name, port.state, port.physical) == ("rxe_eth1:1", "ACTIVE", "LinkUp")
    assert (port.rate_gbps, port.lanes, port.interface) == (2.5, 1, "eth1")
    assert port.counters == {"link_downed": 0, "rcvd_pkts": 17}


def test_an_ipv4_address_is_told_from_a_link_local_one() -> None:
    first, second = parse_rdma(SOFT).ports[0].gids
    assert (first.ipv4, second.ipv4) == (None, "10.88.0.12")


def test_a_reject_route_is_no_default_route() -> None:
    assert parse_rdma(SOFT).default_interfaces == ("eth0",)


def test_an_interface_is_known_with_its_sysctls() -> None:
    interface = parse_rdma(SOFT).interfaces["eth1"]
    assert (interface.mtu, interface.is_up) == (1500, True)
    assert interface.sysctls == {"arp_ignore": "0", "arp_announce": "0", "rp_filter": "0"}


@pytest.mark.parametrize("lines", range(len(SOFT.splitlines())))
def test_what_is_cut_short_is_never_a_report(lines: int) -> None:
    with pytest.raises(ValueError, match="cut short"):
        parse_rdma("\n".join(SOFT.splitlines()[:lines]))


@given(st.text())
def test_any_text_gives_a_report_or_one_kind_of_error(text: str) -> None:
    try:
        parse_rdma(f"{text}\nend")
    except ValueError as error:
        assert str(error)


def test_devices_are_in_the_order_that_people_count_in() -> None:
    names = "".join(f"device:mlx5_{number}\n" for number in (10, 2, 0))
    assert [each.name for each in parse_rdma(f"{names}end").devices] == [
        "mlx5_0",
        "mlx5_2",
        "mlx5_10",
    ]


def test_the_script_is_understood_where_it_runs() -> None:
    printed = subprocess.run(
        ["sh", "-c", SCRIPT], capture_output=True, text=True, check=True
    ).stdout
    report = parse_rdma(printed)
    assert report.uptime_seconds > 0
    assert set(report.interfaces) == {path.name for path in Path("/sys/class/net").glob("*/")}


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_a_captured_h100_tree_is_read_whole(shell: str, tmp_path: Path) -> None:
    if not SAMPLE.exists():
        pytest.skip("the captured tree is not on this computer")
    with tarfile.open(SAMPLE) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.rglob("sys-class-infiniband-h100.0")
    script = SCRIPT.replace("/sys/class/infiniband/", f"{tree}/")
    command = ["busybox", "sh"] if shell == "busybox" else [shell]
    done = subprocess.run([*command, "-c", script], capture_output=True, text=True, check=False)
    if done.returncode == 127:
        pytest.skip(f"{shell} is not installed")
    report = parse_rdma(done.stdout)
    assert [each.name for each in report.devices] == [
        *("mlx5_0", "mlx5_1", *(f"mlx5_{number}" for number in range(4, 10)), "mlx5_bond_0")
    ]
    rails = [port for port in report.ports if port.is_infiniband]
    assert {(port.rate_gbps, port.lanes, port.state) for port in rails} == {(400.0, 4, "ACTIVE")}
    assert {each.firmware for each in report.devices[:8]} == {"28.41.1000"}
    assert report.devices[1].ports[0].counters["link_downed"] == 255


def configuration(*capabilities: tuple[int, int, int], control: int = 0) -> str:
    """Hexadecimal digits of a space with capabilities (place, id, next)."""
    raw = bytearray(256)
    raw[0x06], raw[0x34] = 0x10, capabilities[0][0] if capabilities else 0
    for place, kind, following in capabilities:
        raw[place], raw[place + 1] = kind, following
        if kind == 0x10:
            raw[place + 8 : place + 10] = control.to_bytes(2, "little")
    return raw.hex()


@pytest.mark.parametrize(
    ("control", "size", "relaxed"),
    [(0x5936, 4096, True), (0x2926, 512, False), (0x0010, 128, True)],
)
def test_the_control_register_is_found_behind_other_capabilities(
    control: int, size: int, relaxed: bool
) -> None:
    found = parse_config(configuration((0x40, 0x01, 0x60), (0x60, 0x10, 0), control=control))
    assert found is not None
    assert (found.max_read_request_bytes, found.relaxed_ordering) == (size, relaxed)


@pytest.mark.parametrize(
    "text",
    ["", "zz", "00" * 64, configuration(), configuration((0x40, 0x01, 0x40))],
    ids=["nothing", "no digits", "not root", "no capability", "a loop"],
)
def test_a_space_that_says_nothing_gives_nothing(text: str) -> None:
    assert parse_config(text) is None
