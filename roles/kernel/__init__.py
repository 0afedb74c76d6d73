"""The kernel of a GPU node: no nouveau, command line, memory, modules, limits, swap."""

from pyinfra.api.deploy import deploy

from roles.kernel.operations import kernel_files, refuse_unfit, running_kernel
from roles.kernel.reboots import reboot_probes
from roles.kernel.settings import KernelSettings

__all__ = ["KernelSettings", "kernel", "reboot_probes", "refuse_unfit"]


@deploy("Kernel")
def kernel(settings: KernelSettings) -> None:
    """Give a node its kernel settings: files for the next boot, then the running kernel."""
    kernel_files(name="Write what the next boot reads", settings=settings)
    running_kernel(name="Bring the running kernel to the declared state", settings=settings)
