"""What every node becomes, unless a group says otherwise: the fleet's declaration.

docs/settings.md lists every field. A group derives its own from these, so that what it does not
name stays as declared here:

    from group_data.all import kernel as all_kernel

    kernel = all_kernel.model_copy(update={"hugepages_2mib_per_node": 8192})
"""

from flightline.reboot import RebootSettings
from roles.base.settings import BaseSettings
from roles.containers.settings import ContainersSettings
from roles.cuda.settings import CudaSettings
from roles.fabric.settings import FabricSettings
from roles.gateway.settings import GatewaySettings
from roles.inference.settings import InferenceSettings
from roles.kernel.settings import KernelSettings
from roles.models.settings import ModelsSettings
from roles.nvidia.settings import NvidiaSettings
from roles.pki.settings import PkiSettings

base = BaseSettings()
kernel = KernelSettings()
nvidia = NvidiaSettings()
cuda = CudaSettings()
fabric = FabricSettings()
containers = ContainersSettings()
pki = PkiSettings()
models = ModelsSettings()
inference = InferenceSettings()
gateway = GatewaySettings()
reboot = RebootSettings()
