"""The lab's nodes: emulated machines with 2 GiB of memory and no network time."""

from group_data.all import base as all_base
from group_data.all import containers as all_containers
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
