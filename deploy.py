"""The table of contents: which role, in which order, and where a reboot may happen.

Run by `pyinfra inventories/prod.py deploy.py` and by `flightline apply inventories/prod.py`.
"""

from pyinfra.context import host

from flightline.operations.preflight import hold_node, refuse_unfit_node
from flightline.operations.reboot import reboot_when_needed
from flightline.reboot import RebootSettings
from flightline.settings import declared
from roles.base import BaseSettings, base
from roles.containers import ContainersSettings, containers
from roles.kernel import KernelSettings, kernel, reboot_probes, refuse_unfit

kernel_settings = declared(host.data, "kernel", KernelSettings)

hold_node(name="Hold the node's lock")
refuse_unfit_node(name="Refuse a node that cannot be worked on")
refuse_unfit(name="Refuse huge pages beyond memory", settings=kernel_settings)

base(settings=declared(host.data, "base", BaseSettings))
kernel(settings=kernel_settings)

reboot_when_needed(
    name="Reboot when something asked for it",
    settings=declared(host.data, "reboot", RebootSettings),
    probes=reboot_probes(kernel_settings),
)

containers(settings=declared(host.data, "containers", ContainersSettings))
