"""Before anything is touched: one run at a time, and only on a node that can be worked on."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.api.state import StateStage
from pyinfra.context import host, state

from flightline import node_lock
from flightline.errors import NodeRefused
from flightline.facts.node import NodeFacts, node_of
from flightline.operations.refusal import Refusal

PROVEN = {"debian": ("12", "13")}
"""Systems that the lab's nodes run: docs/verified.md."""

WRITTEN = {
    "ubuntu": ("22.04", "24.04"),
    "rhel": ("9",),
    "rocky": ("9",),
    "almalinux": ("9",),
    "centos": ("9",),
}
"""Systems whose commands are unit-tested, and have not been run yet: docs/verified.md."""

ARCHITECTURES = ("x86_64", "aarch64")

FREE_BYTES_MIN = {"/": 2 << 30, "/boot": 200 << 20, "/var": 2 << 30}
"""Room for the packages of the three roles (0.6 GiB on Debian 12) and one more initramfs and
kernel on /boot (0.1 GiB with MODULES=most), measured 2026-11-21, with room to unpack."""


@operation()
def hold_node() -> Generator[StringCommand]:
    """This run alone works on the node, until its connection closes. One remote command.

    Fails, naming who holds the node since when, while another run is at work. A plan takes no lock.
    Never a change: the lock is in memory only.
    """
    if state.current_stage is StateStage.Execute and (refused := node_lock.take(host)):
        yield Refusal(refused)
        return
    host.noop("this run holds the node")


@operation()
def refuse_unfit_node() -> Generator[StringCommand]:
    """The node is a supported, writable, consistent system with root and room. One remote command.

    Fails with every problem of the node in one sentence, before anything on it was touched.
    """
    try:
        found = problems(node_of(host))
    except NodeRefused as error:
        found = (error.message,)
    if found:
        yield Refusal("; ".join(found))
        return
    host.noop("the node can be worked on")


def problems(node: NodeFacts) -> tuple[str, ...]:
    """Return what stands in the way of working on this node, each with its remedy; pure."""
    system = _system_problem(node)
    if system:
        return (system,)
    return tuple(
        problem
        for problem in (
            _root_problem(node),
            _disk_problem(node),
            *_room_problems(node),
            _dpkg_problem(node),
        )
        if problem
    )


def is_supported(node: NodeFacts) -> bool:
    """Tell whether roles know this distribution and version."""
    versions = (*PROVEN.get(node.distribution, ()), *WRITTEN.get(node.distribution, ()))
    return node.version in versions or (
        node.family == "rhel" and node.version.partition(".")[0] in versions
    )


def _system_problem(node: NodeFacts) -> str:
    if not is_supported(node):
        named = f"{node.distribution} {node.version}".strip() or "a system without /etc/os-release"
        known = ", ".join(
            f"{name} {'/'.join(versions)}" for name, versions in {**PROVEN, **WRITTEN}.items()
        )
        return f"runs {named}, which is not supported (supported: {known}); install one of these."
    if node.architecture not in ARCHITECTURES:
        return f"is a {node.architecture} machine, expected {' or '.join(ARCHITECTURES)}."
    return "" if node.has_systemd else "is not run by systemd, which every role relies on."


def _root_problem(node: NodeFacts) -> str:
    if node.is_root:
        return ""
    return "commands do not run as root; set _sudo=True in the inventory, or connect as root."


def _disk_problem(node: NodeFacts) -> str:
    if not node.root_read_only:
        return ""
    return (
        "its root file system is mounted read-only, often after a disk error: look at "
        "`journalctl -k`, check the file system, then `mount -o remount,rw /`."
    )


def _room_problems(node: NodeFacts) -> list[str]:
    free = {"/": node.root_free_bytes, "/boot": node.boot_free_bytes, "/var": node.var_free_bytes}
    return [
        f"{place} has {free[place] >> 20} MiB free, expected at least {least >> 20} MiB; make room."
        for place, least in FREE_BYTES_MIN.items()
        if free[place] < least and (place == "/" or free[place] != free["/"])
    ]


def _dpkg_problem(node: NodeFacts) -> str:
    if not (node.dpkg_broken or node.dpkg_interrupted):
        return ""
    named = f" ({', '.join(node.dpkg_broken)})" if node.dpkg_broken else ""
    return (
        f"dpkg was interrupted{named}; run `dpkg --configure -a`, then `apt-get -f install`, on it."
    )
