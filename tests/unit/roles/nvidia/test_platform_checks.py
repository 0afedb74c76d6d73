"""What the checks of the GPUs' place in the machine conclude."""

from __future__ import annotations

from tests.unit.roles.nvidia.host_side import ABSENT, FAIL, PASS, UNKNOWN, Edit, verdict

VIRTUAL = ("driver", "^virtual:none", "virtual:kvm")
BEHIND_ONE_SWITCH: tuple[Edit, ...] = (
    (
        "bus",
        "^0000:41:00.0/path:.*",
        "0000:41:00.0/path:/sys/devices/pci0000:40/0000:40:01.0/0000:42:00.0/0000:43:00.0/0000:41:00.0",
    ),
    (
        "bus",
        "^0000:81:00.0/path:.*",
        "0000:81:00.0/path:/sys/devices/pci0000:40/0000:40:01.0/0000:42:00.0/0000:43:01.0/0000:81:00.0",
    ),
)


def test_a_gpu_that_answers_with_ones_is_no_go_though_the_kernel_remembers_it() -> None:
    ones = ("driver", "^(identity:0000:1d:00.0) .*", r"\1 ffffffff")
    outcome, message = verdict("nvidia-bus-fallen", ones)
    assert outcome is FAIL
    assert message.startswith("0000:1d:00.0 answers with all ones")


def test_a_gpu_that_fell_and_came_back_is_no_go() -> None:
    line = "[ 88.1] k kernel: NVRM: GPU 0000:1b:00.0: GPU has fallen off the bus.\nend"
    assert verdict("nvidia-bus-fallen", ("kernel-log", "^end$", line))[0] is FAIL


def test_a_gpu_that_cannot_be_asked_is_unknown() -> None:
    assert verdict("nvidia-bus-fallen", ("driver", "^identity:0000:1d.*\n", ""))[0] is UNKNOWN


def test_lanes_that_the_kernel_does_not_tell_are_unknown_but_in_virtual_machines() -> None:
    untold = ("bus", "^(0000:1b:00.0/current_link_width):16", r"\1:0")
    assert verdict("nvidia-bus-width", untold)[0] is UNKNOWN
    assert verdict("nvidia-bus-width", untold, VIRTUAL)[0] is ABSENT


def test_one_fatal_pcie_error_is_no_go() -> None:
    fatal = ("bus", "^(0000:1b:00.0/aer_dev_fatal:TOTAL_ERR_FATAL) 0", r"\1 1")
    outcome, message = verdict("nvidia-pcie-aer", fatal)
    assert outcome is FAIL
    assert "1 fatal and 0 nonfatal" in message


def test_errors_that_nobody_counts_are_unknown_but_in_virtual_machines() -> None:
    uncounted = ("bus", ".*/aer_dev_.*\n", "")
    for id in ("nvidia-pcie-aer", "nvidia-pcie-corrected"):
        assert verdict(id, uncounted)[0] is UNKNOWN
        assert verdict(id, uncounted, VIRTUAL)[0] is ABSENT


def test_corrected_errors_are_judged_beside_the_peers() -> None:
    id, one = "nvidia-pcie-corrected", "^(0000:1b:00.0/aer_dev_correctable:TOTAL_ERR_COR) 0"
    everyone = ("bus", "(aer_dev_correctable:TOTAL_ERR_COR) 0", r"\1 40000")
    assert verdict(id, ("bus", one, r"\1 900"))[0] is PASS
    assert verdict(id, ("bus", one, r"\1 1100"))[0] is FAIL
    assert verdict(id, everyone)[0] is PASS


def test_one_gpu_has_no_peers() -> None:
    assert verdict("nvidia-pcie-corrected", name="rtx_4090")[0] is ABSENT


def test_a_gpu_without_a_numa_node_is_no_go_on_bare_metal_with_several() -> None:
    lost = ("bus", "^(0000:1b:00.0/numa_node):.*", r"\1:-1")
    one_node = ("driver", "^nodes_with_cpus:0-1", "nodes_with_cpus:0")
    nothing = ("driver", "^nodes_with_cpus:.*\n", "")
    assert verdict("nvidia-numa-locality", lost)[0] is FAIL
    assert verdict("nvidia-numa-locality", lost, VIRTUAL)[0] is ABSENT
    assert verdict("nvidia-numa-locality", lost, one_node)[0] is ABSENT
    assert verdict("nvidia-numa-locality", lost, nothing)[0] is UNKNOWN


def test_ports_below_a_shared_switch_that_redirect_are_a_warning() -> None:
    on = ("driver", "^(acs:0000:43:01.0) .*", r"\1 001d")
    outcome, message = verdict("nvidia-acs-off", *BEHIND_ONE_SWITCH, on, name="l40s")
    assert outcome is FAIL
    assert "at 0000:43:01.0, " in message


def test_a_root_port_above_the_switch_may_redirect() -> None:
    on = ("driver", "^(acs:0000:40:01.0) .*", r"\1 001d")
    assert verdict("nvidia-acs-off", *BEHIND_ONE_SWITCH, on, name="l40s")[0] is PASS


def test_a_port_without_acs_redirects_nothing_and_an_unreadable_one_is_unknown() -> None:
    for said, expected in (("none", PASS), ("unreadable", UNKNOWN), ("0040", PASS)):
        port = ("driver", "^(acs:0000:43:01.0) .*", rf"\1 {said}")
        assert verdict("nvidia-acs-off", *BEHIND_ONE_SWITCH, port, name="l40s")[0] is expected


def test_acs_is_left_alone_in_virtual_machines_and_where_nvlink_joins_the_gpus() -> None:
    outcome, message = verdict("nvidia-acs-off", *BEHIND_ONE_SWITCH, VIRTUAL, name="l40s")
    assert outcome is ABSENT
    assert "virtual" in message
    assert verdict("nvidia-acs-off")[0] is ABSENT
    assert verdict("nvidia-acs-off", name="l40s")[0] is ABSENT
