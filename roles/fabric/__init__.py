"""The RDMA fabric of a node: InfiniBand, RoCE, and what NCCL is told of them."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from roles.fabric.operations import fabric_files, fabric_packages, running_fabric
from roles.fabric.settings import DocaSettings, FabricSettings

__all__ = ["DocaSettings", "FabricSettings", "fabric"]


@deploy("Fabric")
def fabric(settings: FabricSettings) -> None:
    """The fabric is set up as declared; a node without RDMA is left alone, with one question."""
    # Files first: rdma-core's installation already names the devices.
    fabric_files(name="Write names, modules and NCCL's view", settings=settings)
    fabric_packages(name="Install the RDMA packages", settings=settings)
    running_fabric(name="Bring the running fabric to the declared state", settings=settings)
