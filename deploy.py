"""The table of contents: which role, in which order, and where a reboot may happen.

Run by `pyinfra inventories/prod.py deploy.py` and by `flightline apply inventories/prod.py`.
"""

from pyinfra.context import host, inventory

from flightline.operations.preflight import hold_node, refuse_unfit_node
from flightline.operations.reboot import reboot_when_needed
from flightline.reboot import RebootSettings
from flightline.serving.upstreams import reachable, upstreams
from flightline.settings import declared
from roles import kernel as kernel_role
from roles import nvidia as nvidia_role
from roles.base import BaseSettings, base
from roles.containers import ContainersSettings, containers
from roles.cuda import CudaSettings, cuda
from roles.fabric import FabricSettings, fabric
from roles.gateway import GatewaySettings, gateway
from roles.inference import InferenceSettings, inference
from roles.kernel import KernelSettings, kernel
from roles.models import ModelsSettings, models
from roles.nvidia import NvidiaSettings, nvidia
from roles.pki import PkiSettings, pki

kernel_settings = declared(host.data, "kernel", KernelSettings)
nvidia_settings = declared(host.data, "nvidia", NvidiaSettings)
reboot_settings = declared(host.data, "reboot", RebootSettings)
models_settings = declared(host.data, "models", ModelsSettings)
serving_address = host.data.get("serving_address")

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

pki(settings=declared(host.data, "pki", PkiSettings), node=host.name, address=serving_address)
models(settings=models_settings)
inference(
    settings=declared(host.data, "inference", InferenceSettings),
    first_served={each.name: each.first_served for each in models_settings.models},
)
gateway(
    settings=declared(host.data, "gateway", GatewaySettings),
    node=host.name,
    address=serving_address,
    upstreams=reachable(upstreams(inventory), host.name),
)
