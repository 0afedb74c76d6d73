"""The lab's verbs: bring nodes up, make one pristine again, take them down."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.lab import identity, keys, machine, places, ports, programs, shell, state, template
from flightline.lab.accelerator import KVM, accelerator
from flightline.lab.image import Image, image_of
from flightline.lab.machine import Shape
from flightline.lab.state import Node
from flightline.lab.template import Template, template_of

Say = Callable[[str], None]
NODES_MAX = 32
SELF_SECONDS = 120  # until sshd has its own host key: 1 s, idle; emulated and crowded far longer
# A node's RAM is mapped from the template's file: what it writes is its own (240 MB after its
# start, measured 2026-11-20); a converged node with Docker stays below this.
NODE_USE_MIB = 700
AT_A_TIME = 3  # emulated machines share the cores; more at once only makes each slower


def up(count: int, suite: str, memory_mib: int, cpus: int, say: Say) -> list[Node]:
    """Hold that nodes 1 to count of the suite run; return those that had to be started.

    Nodes that run are left alone. Raises FlightlineError where one cannot be had; those that came
    up stay.
    """
    programs.require(programs.TO_RUN)
    with places.held(places.state() / "lock", say):
        there = {node.number for node in state.nodes() if node.suite == suite and node.is_ready}
        missing = [number for number in range(1, count + 1) if number not in there]
        if not missing:
            return []
        _refuse_too_little_memory(len(missing), memory_mib)
        image = image_of(suite, say)
        shape = Shape(accelerator(image.kernel), memory_mib, cpus)
        if shape.accelerator != KVM:
            say("no working KVM on this computer: nodes are emulated, many times slower")
        source = _template_or_none(image, shape, say)
        segment = _segment()
        blank = [_blank(suite, number, image, shape, segment) for number in missing]
        return _each(blank, lambda node: _started(node, image, source, say))


def reset(nodes: Sequence[Node], say: Say) -> list[Node]:
    """Make the nodes pristine: as after `up`, under the same name, port and host key."""
    programs.require(programs.TO_RUN)
    with places.held(places.state() / "lock", say):

        def again(node: Node) -> Node:
            image = Image(node.suite, Path(node.image).name, Path(node.image))
            if not image.disk.exists():
                image = image_of(node.suite, say)
            shape = Shape(node.accelerator, node.memory_mib, node.cpus)
            source = _template_or_none(image, shape, say)
            return _started(replace(node, image=str(image.folder)), image, source, say)

        return _each(nodes, again)


def down(say: Say, *, purge: bool) -> list[Node]:
    """Hold that no node runs and nothing of them is kept; return those there were.

    purge: the cached images, templates and keys go as well.
    """
    with places.held(places.state() / "lock", say):
        nodes = state.nodes()
        for node in nodes:
            _off(node)
        state.forget_all()
    if purge:
        shutil.rmtree(places.cache())
        shutil.rmtree(places.state())
    return nodes


def _started(node: Node, image: Image, source: Template | None, say: Say) -> Node:
    """Return the node running as itself: a clone of the template, or booted where that fails."""
    begun = time.monotonic()
    for before in state.nodes():
        if before.name == node.name:
            _off(before)
    node = _with_ports(replace(node, seconds=0))
    node.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (node.folder / "host_key").exists():
        keys.generate(node.folder / "host_key", f"root@{node.name}")
    running = _cloned(node, source, say) if source else None
    running = running or _booted(node, image)
    try:
        state.record(running)
        door = template.door_of(running.machine, image)
        shell.wait_until_open(door, template.BOOT_SECONDS)
        identity.give(running, door)
        shell.wait_until_open(running.door, SELF_SECONDS)
    except BaseException:
        _off(running)
        raise
    ready = replace(running, seconds=round(time.monotonic() - begun, 1))
    state.record(ready)
    say(f"{ready.name} is up ({ready.origin}, {ready.seconds} s)")
    return ready


def _with_ports(node: Node) -> Node:
    """Return the node with the ports that it had, where they are free."""
    return replace(
        node,
        ssh_port=ports.kept_or_free(node.ssh_port),
        gateway_port=ports.kept_or_free(node.gateway_port),
    )


def _off(node: Node) -> None:
    machine.stop(node.pid, node.started, node.machine.monitor)


def _cloned(node: Node, source: Template, say: Say) -> Node | None:
    """Return the node started from the template, or None where QEMU does not take its state."""
    template.overlay(source.disk, node.machine.disk)
    clone = replace(node.machine, memory=source.memory)
    pid = machine.start(clone, incoming=True)
    since = machine.started(pid)
    try:
        template.take_in(clone.monitor, source.devices)
    except FlightlineError as error:
        machine.stop(pid, since, clone.monitor)
        say(f"{node.name}: cannot start from the saved machine ({error.message}); booting instead")
        return None
    return replace(node, pid=pid, started=since, origin="clone")


def _booted(node: Node, image: Image) -> Node:
    template.overlay(image.disk, node.machine.disk)
    pid = machine.start(node.machine)
    return replace(node, pid=pid, started=machine.started(pid), origin="cold")


def _template_or_none(image: Image, shape: Shape, say: Say) -> Template | None:
    try:
        return template_of(image, shape, say)
    except FlightlineError as error:
        say(
            f"no saved machine to start from ({error.message}); nodes boot instead, about 25 s each"
        )
        return None


def _blank(suite: str, number: int, image: Image, shape: Shape, segment: int) -> Node:
    return Node(
        state.name_of(suite, number), suite, number, ports.free_tcp(), segment, str(image.folder),
        shape.accelerator, shape.memory_mib, shape.cpus, pid=0, started=None, origin="", seconds=0,
        gateway_port=ports.free_tcp(),
    )  # fmt: skip


def _segment() -> int:
    """Return the port of the lab's second network: the one in use, else a free one."""
    for node in state.nodes():
        if node.is_running:
            return node.segment_port
    return ports.free_udp()


def _each(nodes: Sequence[Node], work: Callable[[Node], Node]) -> list[Node]:
    """Do the work for every node, a few at a time; then raise the first failure, if any.

    Interrupted, it finishes the nodes under way and begins no other.
    """
    pool = ThreadPoolExecutor(AT_A_TIME)
    try:
        waiting = [pool.submit(work, node) for node in nodes]
        wait(waiting)
    finally:
        pool.shutdown(cancel_futures=True)
    return [future.result() for future in waiting]


def _refuse_too_little_memory(count: int, memory_mib: int) -> None:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    available = next(
        int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable")
    )
    each = min(memory_mib, NODE_USE_MIB)
    if available < count * each:
        raise FlightlineError(
            f"{count} more nodes need about {count * each} MiB of memory, this computer has "
            f"{available} MiB available; ask for at most {available // each} more with --nodes."
        )
