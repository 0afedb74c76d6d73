"""What can be done with light nodes: bring them up, make one pristine again, take them down."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.lab import keys, places, ports, programs, shell
from flightline.lab.light import container, node, packages
from flightline.lab.light.node import LightNode
from flightline.lab.light.root import root_of

Say = Callable[[str], None]
BOOT_SECONDS = 120  # 0.6 s measured, idle (2026-11-21)
TO_RUN = {
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}


def up(count: int, suite: str, say: Say) -> list[LightNode]:
    """Hold that light nodes 1 to count of the suite run; return those that had to be started.

    Nodes that run are left alone. Raises FlightlineError where one cannot be had.
    """
    _refuse_without_root()
    programs.require(TO_RUN)
    with places.held(places.state() / "light.lock", say):
        there = {each.number for each in node.nodes() if each.suite == suite and each.is_ready}
        missing = [number for number in range(1, count + 1) if number not in there]
        root = root_of(suite, say) if missing else Path()
        return [_started(_blank(suite, number, root), say) for number in missing]


def reset(nodes: Sequence[LightNode], say: Say) -> list[LightNode]:
    """Make the nodes pristine: as after `up`, under the same name, port and host key."""
    _refuse_without_root()
    with places.held(places.state() / "light.lock", say):
        return [_started(replace(each, root=str(root_of(each.suite, say))), say) for each in nodes]


def down(say: Say) -> list[LightNode]:
    """Hold that no light node runs and nothing of them is kept; return those there were."""
    with places.held(places.state() / "light.lock", say):
        nodes = node.nodes()
        if nodes:
            _refuse_without_root()
        for each in nodes:
            _off(each)
            shutil.rmtree(each.folder)
    return nodes


def _started(wanted: LightNode, say: Say) -> LightNode:
    """Return the node running on an empty disk of its own; what ran under its name is gone."""
    begun = time.monotonic()
    for before in node.nodes():
        if before.name == wanted.name:
            _off(before)
    fresh = replace(wanted, ssh_port=ports.kept_or_free(wanted.ssh_port), seconds=0)
    fresh.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not fresh.host_key.exists():
        keys.generate(fresh.host_key, f"root@{fresh.name}")
    container.prepare(fresh)
    running = container.started(fresh)
    try:
        node.record(running)
        shell.wait_until_open(running.door, BOOT_SECONDS)
    except BaseException:
        _off(running)
        raise
    ready = replace(running, seconds=round(time.monotonic() - begun, 1))
    node.record(ready)
    say(f"{ready.name} is up ({ready.seconds} s)")
    return ready


def _off(gone: LightNode) -> None:
    """Hold that the node does not run and its disk is gone; its downloaded packages are kept."""
    container.stop(gone)
    packages.keep(gone)
    for name in container.FOLDERS:
        shutil.rmtree(gone.folder / name, ignore_errors=True)


def _blank(suite: str, number: int, root: Path) -> LightNode:
    return LightNode(node.name_of(suite, number), suite, number, ports.free_tcp(), str(root))


def _refuse_without_root() -> None:
    if os.geteuid() != 0:
        raise FlightlineError(
            "light nodes are containers that share this computer's kernel, which takes root's "
            "rights; run the command as root, or use virtual machines (without --light)."
        )
