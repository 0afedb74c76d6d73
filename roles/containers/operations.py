"""The engine's files, and a running engine brought to them."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from flightline.errors import FlightlineError
from flightline.facts.node import NodeFacts, node_of
from flightline.operations.bundle import Directory, File, Hook, Item, Merge, bundle
from flightline.operations.packages import installed
from flightline.operations.refusal import Refusal
from flightline.templates import render
from roles.containers import toolkit
from roles.containers.change import (
    Means,
    current_root,
    gives_gpus,
    means_of,
    refuse_harm,
    refuse_move,
    refuse_removal,
)
from roles.containers.daemon import PATH, merge
from roles.containers.facts import DataRootContent, Engine, EngineState
from roles.containers.settings import UNLIMITED, ContainersSettings
from roles.containers.sources import packages, repository

HELPER = "/usr/local/lib/flightline/docker-config"
DOCKER_LIMITS = "/etc/systemd/system/docker.service.d/flightline.conf"
CONTAINERD_LIMITS = "/etc/systemd/system/containerd.service.d/flightline.conf"

_UNITS = "systemctl daemon-reload"
_CONTAINERD = (
    "if systemctl -q is-active containerd.service; then systemctl restart containerd.service; fi"
)
_RELOAD = f"if [ -x {HELPER} ]; then {HELPER} reload; fi"
# The helper is gone again when a first run fails and everything is put back; it may have failed
# because a restart would stop containers, so without the helper none is made where any may run.
_RESTART = (
    f"if [ -x {HELPER} ]; then {HELPER} restart; "
    "elif systemctl -q is-active docker.service && "
    '{ ! running=$(timeout 10 docker ps -q 2>/dev/null) || [ -n "$running" ]; }; then '
    'echo "dockerd was not restarted, as containers run or it does not answer; '
    'stop them, then restart docker.service" >&2; false; '
    "else systemctl reset-failed docker.service; systemctl restart docker.service; fi"
)


@operation()
def engine_configured(settings: ContainersSettings) -> Generator[StringCommand]:
    """daemon.json, limits, repository and group are as declared, and dockerd runs with them.

    + settings: what is declared

    Two remote commands when nothing differs, four where containers get GPUs: NVIDIA's toolkit is
    there before dockerd hears of it. Laid down before the engine's packages, so that dockerd's
    first start is with its own networks and data root. A running dockerd reloads, or restarts where
    a key needs it and the settings allow it. What would cut off networks, data or containers is
    refused.
    """
    try:
        node = node_of(host)
        state = _state(node, settings)
        gives = gives_gpus(state, settings)
        items = engine_items(node, settings, has_gpu=gives)
        hooks = engine_hooks(state, settings)
        means = means_of(state, settings)
    except FlightlineError as refusal:
        yield Refusal(f"{refusal.message} Nothing was changed.")
        return
    if gives:
        yield from toolkit.toolkit_installed(node, settings, state.gpus)
    changed = False
    for command in bundle._inner(items=items, hooks=hooks):
        changed = True
        yield command
    if state.members != tuple(sorted(settings.operators)):
        yield StringCommand(_membership(settings.operators))
    if gives and not changed and toolkit.refresh_due(state.gpus):
        yield StringCommand(toolkit.REFRESH)
    if not changed and means is not Means.NOTHING:
        yield StringCommand(_RELOAD)
        if means is Means.RESTART:
            yield StringCommand(_RESTART)


@operation()
def engine_installed(settings: ContainersSettings) -> Generator[StringCommand]:
    """The engine's packages are installed from the declared source, and no other engine's are.

    + settings: what is declared

    One remote command when nothing differs.
    """
    try:
        wanted = packages(node_of(host), settings)
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    yield from installed._inner(packages=wanted.present, absent=wanted.absent, hold=wanted.held)


def engine_items(
    node: NodeFacts, settings: ContainersSettings, *, has_gpu: bool = False
) -> tuple[Item, ...]:
    """Return every file of the engine; has_gpu: with what gives containers GPUs.

    Raises NodeRefused on a system that has no such engine.
    """
    limits = {
        "memlock": _limit(settings.ulimit_memlock_bytes.hard),
        "nofile": _limit(settings.ulimit_nofile.hard),
    }
    units = "containers/etc/systemd/system"
    return (
        *repository(node, settings),
        *(toolkit.device_items() if has_gpu else ()),
        File(HELPER, render("containers/usr/local/lib/flightline/docker-config"), mode="755"),
        File(
            CONTAINERD_LIMITS,
            render(f"{units}/containerd.service.d/flightline.conf.j2", **limits),
        ),
        File(
            DOCKER_LIMITS,
            render(
                f"{units}/docker.service.d/flightline.conf.j2",
                data_root=settings.data_root,
                **limits,
            ),
        ),
        Directory("/etc/docker"),
        Merge(
            PATH,
            lambda text: merge(settings, text, has_gpu=has_gpu),
            validate=f"if [ -x {HELPER} ]; then {HELPER} validate {{staged}}; fi",
        ),
    )


def engine_hooks(state: EngineState, settings: ContainersSettings) -> tuple[Hook, ...]:
    """Return what makes changed files take effect; nothing restarts where settings forbid it.

    The commands are always the same: an interrupted one is known again by its text.
    """
    restart = means_of(state, settings) is Means.RESTART
    allowed = settings.restart_allowed
    return (
        *(toolkit.device_hooks() if gives_gpus(state, settings) else ()),
        Hook(_UNITS, (CONTAINERD_LIMITS, DOCKER_LIMITS)),
        *((Hook(_CONTAINERD, (CONTAINERD_LIMITS,)),) if allowed else ()),
        Hook(_RELOAD, (PATH,)),
        *((Hook(_RESTART, (DOCKER_LIMITS, *((PATH,) if restart else ()))),) if allowed else ()),
    )


def _state(node: NodeFacts, settings: ContainersSettings) -> EngineState:
    """Ask the node; raises FlightlineError when it cannot be asked or must not be changed."""
    state = host.get_fact(Engine)
    if state is None:
        raise FlightlineError("the state of the container engine could not be read.")
    root = current_root(state)
    if root != settings.data_root:
        refuse_move(root, host.get_fact(DataRootContent, data_root=root), settings)
    refuse_harm(state, settings)
    if gives_gpus(state, settings):
        toolkit.refuse_toolkit(node, settings)
    refuse_removal(state, packages(node, settings).absent)
    return state


def _membership(operators: Sequence[str]) -> str:
    """The group is made if the package has not made it yet, and its members are exactly these."""
    return f"groupadd -r -f docker && gpasswd -M '{','.join(operators)}' docker >/dev/null"


def _limit(value: int) -> str:
    return "infinity" if value == UNLIMITED else str(value)
