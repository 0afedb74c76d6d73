"""ib_write_bw's output, as captured from perftest 4.5 over Soft-RoCE, and what is not a result."""

from __future__ import annotations

from flightline.acceptance import perftest

PRINTED = """\
---------------------------------------------------------------------------------------
                    RDMA_Write BW Test
 Dual-port       : OFF\t\tDevice         : rxe_eth1
 Number of qps   : 1\t\tTransport type : IB
---------------------------------------------------------------------------------------
 #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]
 65536      1235             0.00               0.108              0.000206
---------------------------------------------------------------------------------------
"""


def test_the_average_is_read_in_gigabits() -> None:
    assert perftest.average_gbps(PRINTED) == 0.108


def test_a_run_without_a_result_has_no_average() -> None:
    assert perftest.average_gbps("Couldn't connect to 10.0.0.1:18515") is None


def test_device_and_address_are_quoted() -> None:
    command = perftest.client("mlx5_0; reboot", "10.0.0.1; reboot")
    assert "'mlx5_0; reboot'" in command and "'10.0.0.1; reboot'" in command


def test_a_server_ends_by_itself() -> None:
    assert perftest.server("mlx5_0").startswith("timeout 60 ib_write_bw -d mlx5_0 ")
