"""The table of contents: which role, in which order, and where a reboot may happen.

Run by `pyinfra inventories/prod.py deploy.py` and by `flightline apply inventories/prod.py`.
"""

from pyinfra.context import host

from flightline.operations.preflight import hold_node, refuse_unfit_node
from flightline.operations.reboot import reboot_when_needed
from flightline.reboot import RebootSettings
from flightline.settings import declared
from roles import kernel as kernel_role
from roles import nvidia as nvidia_role
from roles.base import BaseSettings, base
from roles.containers import ContainersSettings, containers
from roles.cuda import CudaSettings, cuda
from roles.fabric import FabricSettings, fabric
from roles.kernel import KernelSettings, kernel
from roles.nvidia import NvidiaSettings, nvidia

kernel_settings = declared(host.data, "kernel", KernelSettings)
nvidia_settings = declared(host.data, "nvidia", NvidiaSettings)
reboot_settings = declared(host.data, "reboot", RebootSettings)

hold_node(name="Hold the node's lock")
refuse_unfit_node(name="Refuse a node that cannot be worked on")
kernel_role.refuse_unfit(name="Refuse huge pages beyond memory", settings=kernel_settings)
nvidia_role.refuse_unfit_gpus(name="Refuse what the GPUs cannot do", settings=nvidia_settings)

base(settings=declared(host.data, "base", BaseSettings))
kernel(settings=kernel_settings)

reboot_when_needed(
    name="Reboot when the kernel asks for it",
    settings=reboot_settings,
    probes=kernel_role.reboot_probes(kernel_settings),
)

nvidia(settings=nvidia_settings)

reboot_when_needed(
    name="Reboot when the driver asks for it",
    settings=reboot_settings,
    probes=nvidia_role.reboot_probes(nvidia_settings),
)

cuda(settings=declared(host.data, "cuda", CudaSettings))
fabric(settings=declared(host.data, "fabric", FabricSettings))
containers(settings=declared(host.data, "containers", ContainersSettings))
