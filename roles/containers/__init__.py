"""Docker as a container host for inference engines, with NVIDIA's toolkit where a GPU is.

The toolkit's keys of daemon.json are the role's where containers are to get GPUs; elsewhere they
are kept as they are found.
"""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from flightline.operations.services import Service, services
from roles.containers.operations import engine_configured, engine_installed
from roles.containers.settings import AddressPool, ContainersSettings, Ulimit

__all__ = ["AddressPool", "ContainersSettings", "Ulimit", "containers"]

UNITS = (Service("containerd.service"), Service("docker.socket"), Service("docker.service"))


@deploy("Containers")
def containers(settings: ContainersSettings) -> None:
    """Docker runs, starts at boot, and has the declared configuration."""
    engine_configured(name="Configure the engine", settings=settings)
    engine_installed(name="Install the engine", settings=settings)
    services(name="Run the engine", wanted=UNITS)
