"""CUDA toolkits on the node itself, side by side; containers carry their own and need none."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from roles.cuda.operations import toolkits_installed
from roles.cuda.settings import CudaSettings

__all__ = ["CudaSettings", "cuda"]


@deploy("CUDA")
def cuda(settings: CudaSettings) -> None:
    """The declared toolkits are there, and /usr/local/cuda is the declared one."""
    toolkits_installed(name="Install the CUDA toolkits", settings=settings)
