"""The NVIDIA driver alone, Debian's own packages, on a node without a GPU: as images are made.

`--data kernel_modules=open` or `proprietary` says which modules are built.
"""

from pyinfra.context import host

from flightline.operations.preflight import hold_node, refuse_unfit_node
from roles.nvidia import NvidiaSettings, nvidia, refuse_unfit_gpus

SETTINGS = NvidiaSettings(
    install="always",
    source="distribution",
    kernel_modules=host.data.get("kernel_modules"),
    dcgm=False,
)

hold_node(name="Hold the node's lock")
refuse_unfit_node(name="Refuse a node that cannot be worked on")
refuse_unfit_gpus(name="Refuse what the GPUs cannot do", settings=SETTINGS)
nvidia(settings=SETTINGS)
