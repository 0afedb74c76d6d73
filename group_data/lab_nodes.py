"""The lab's nodes: emulated machines with 2 GiB of memory and no network time."""

from group_data.all import base as all_base
from group_data.all import containers as all_containers
from group_data.all import fabric as all_fabric
from group_data.all import kernel as all_kernel
from roles.base.settings import OperatorSettings

# UDP to a time server does not pass the emulated network; an emulated shell is slow (107 ms under
# load, 2026-11-21). The operator is the account that the image comes with.
base = all_base.model_copy(
    update={
        "hostname": "{node}",
        "ntp_servers": (),
        "operators": (OperatorSettings(name="flightline"),),
        "login_shell_max_ms": 500,
    }
)

# 64 pages are 128 MiB: enough to prove that they are there, little enough for 2 GiB.
kernel = all_kernel.model_copy(update={"hugepages_2mib_per_node": 64})

# The lab's disk holds 12 GiB in all.
containers = all_containers.model_copy(update={"data_root_min_free_gib": 1})

# Software RoCE on the second network: real RDMA, at the emulator's speed. 4200 bytes let RDMA use
# packets of 4096.
fabric = all_fabric.model_copy(
    update={
        "enabled": "always",
        "soft_roce_interfaces": ("eth1",),
        "ports_expected": 1,
        "link_layer": "Ethernet",
        "roce_gid_index": 1,
        "interface_mtu_bytes": 4200,
        "rdma_mtu_bytes": 4096,
        "nccl_socket_interface": "eth1",
    }
)
