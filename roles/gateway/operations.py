"""The role's operations: packages, files, units."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.api.state import StateStage
from pyinfra.context import host, inventory, state

from flightline.errors import FlightlineError, NodeRefused
from flightline.facts.node import NodeFacts, node_of
from flightline.operations.bundle import bundle
from flightline.operations.packages import installed
from flightline.operations.refusal import Refusal
from flightline.operations.services import Service, services
from flightline.serving import layout
from flightline.serving.upstreams import Upstream
from roles.gateway import audit_files, files, weights
from roles.gateway.facts import Ground, ground_of, is_fresh
from roles.gateway.settings import GatewaySettings

OLDEST = (2, 6)
"""HAProxy 2.6: bearer tokens, JWT and authorities that change while it runs came with 2.5
(haproxy.org, CHANGELOG of 2.5, read 2026-11-21), which is no long-term release."""

# Systems whose own package is older: Ubuntu 22.04 and the RHEL 9 family have 2.4.
_OLD_SYSTEMS = {"ubuntu": ("20.04", "22.04"), "rhel": ("8", "9")}


@operation()
def gateway_installed(settings: GatewaySettings) -> Generator[StringCommand]:
    """HAProxy and what goes with it is installed; refused where it would be too old, and where the
    site runs one of its own.

    + settings: what is declared

    One remote command when nothing differs.
    """
    names = files.packages(settings)
    found = ground_of(host, names)
    try:
        if found is None:
            raise NodeRefused("what is installed could not be read.")
        refuse_unfit(node_of(host), found)
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    if all(name in found.packages.versions for name in names):
        host.noop(f"{len(names)} packages are installed")
        return
    yield from installed._inner(packages=names)


@operation()
def gateway_configured(
    settings: GatewaySettings, node: str, address: str | None, upstreams: Sequence[Upstream]
) -> Generator[StringCommand]:
    """The gateway's files are in place, and a running gateway has loaded them.

    + settings: what is declared
    + node: this node's name in the inventory
    + address: where other nodes reach it; None: they do not
    + upstreams: the services that this gateway can reach

    One remote command when nothing differs.
    """
    try:
        items = files.items(settings, node, address, upstreams)
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    yield from bundle._inner(items=items, hooks=files.hooks(settings))


@operation()
def gateway_running(
    settings: GatewaySettings, upstreams: Sequence[Upstream]
) -> Generator[StringCommand]:
    """The gateway and its audit log run and start at boot; the package's own unit does not.

    + settings: what is declared
    + upstreams: the services that this gateway can reach

    One remote command when nothing differs. A gateway that starts without a memory of weights is
    given those that the services' own states call for; again, until every node has answered.
    """
    units = (
        Service("haproxy.service", running=False, enabled=False),
        *(audit_files.SERVICES if settings.public else ()),
        Service(layout.GATEWAY_UNIT),
    )
    starting = list(services._inner(wanted=units))
    is_refused = starting and isinstance(starting[0], Refusal)
    if starting and not is_refused:
        yield StringCommand(weights.REMEMBER)
    yield from starting
    if is_refused or not settings.public or not (starting or is_fresh(host)):
        return
    found = weights.Learned()
    if state.current_stage is StateStage.Execute:  # only then are the other nodes as declared
        found = weights.learned(upstreams, weights.ask_by(inventory.get_host))
    yield StringCommand(weights.script(found))


def refuse_unfit(node: NodeFacts, found: Ground) -> None:
    """Raise NodeRefused for a HAProxy of the site's own, and for one that is too old."""
    if found.is_site_running:
        raise NodeRefused(
            "haproxy.service runs with proxies of the site's own (/etc/haproxy), and Flightline's "
            "gateway would take its place; move them to another node, or stop and disable it."
        )
    family = "rhel" if node.family == "rhel" else node.distribution
    version = node.version.partition(".")[0] if family == "rhel" else node.version
    is_old_system = version in _OLD_SYSTEMS.get(family, ())
    if (found.version or (OLDEST if not is_old_system else (2, 4))) < OLDEST:
        told = ".".join(map(str, found.version)) if found.version else "2.4 or older"
        raise NodeRefused(
            f"{node.distribution} {node.version} has HAProxy {told}, expected at least "
            f"{'.'.join(map(str, OLDEST))}: it can neither read bearer tokens nor change "
            "certificates while it runs; install a newer one from a repository of the site's, or "
            "make another node the gateway (GatewaySettings.enabled)."
        )
