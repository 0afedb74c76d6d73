"""What every node has before it is tuned: tools, name, time, journal, operators, a closed sshd."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from flightline.facts.node import node_of
from flightline.operations.bundle import bundle
from flightline.operations.packages import installed
from flightline.operations.services import Service, services
from roles.base import files
from roles.base.distributions import Distribution, distribution_of
from roles.base.operations import identity
from roles.base.settings import BaseSettings

__all__ = ["BaseSettings", "base"]


@deploy("Base")
def base(settings: BaseSettings) -> None:
    """Make a node what `settings` declare; operators before sshd, so that nobody is shut out."""
    node = node_of(host)
    distribution = distribution_of(node)
    has_sudo_password = bool(host.data.get("_sudo_password"))

    installed(name="Install the packages", packages=_packages(settings, distribution))
    identity(
        name="Set the name, the operators and the login",
        hostname=settings.hostname_of(host.name),
        operators=settings.operators,
        dynamic_motd=settings.dynamic_motd,
    )
    bundle(
        name="Write the files",
        items=files.items(
            settings, host.name, distribution, is_ubuntu=node.distribution == "ubuntu"
        ),
        hooks=files.hooks(settings, distribution, has_sudo_password=has_sudo_password),
    )
    services(name="Run the services", wanted=_services(settings, distribution))


def _packages(settings: BaseSettings, distribution: Distribution) -> list[str]:
    upgrader = [distribution.upgrader] if settings.automatic_upgrades else []
    return [*distribution.packages, *settings.packages, *upgrader]


def _services(settings: BaseSettings, distribution: Distribution) -> list[Service]:
    """A timer that is wanted off may be missing: RHEL's comes with its upgrader."""
    on = settings.automatic_upgrades
    return [
        Service(distribution.chrony_unit, running=True, enabled=True),
        *(Service(timer, running=on, enabled=on) for timer in distribution.upgrade_timers),
    ]
