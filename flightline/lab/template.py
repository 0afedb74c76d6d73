"""A booted machine saved with its memory, of which clones start where it stood.

The template's RAM lies in a file; its devices' state is under 1 MB. A clone maps the file privately
(copy on write), takes in the state, and runs: 0.9 s to SSH, emulated (measured 2026-11-20), against
20 s for a boot.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.lab import keys, machine, places, ports, shell
from flightline.lab.accelerator import KVM
from flightline.lab.image import Image
from flightline.lab.machine import Machine, Shape
from flightline.lab.monitor import Monitor, monitor_of
from flightline.lab.shell import Door

BOOT_SECONDS = 600  # 25 s measured, emulated on 2 idle cores; minutes where others use them too
STATE_SECONDS = 60

# Settled: booted to the end, GRUB's menu written by the node itself (14 s), no timer about to fire.
SETTLE = """
set -eu
systemctl is-system-running --wait >/dev/null || true
update-grub >/dev/null 2>&1
systemctl stop '*.timer'
sync
echo 3 > /proc/sys/vm/drop_caches
sync
"""


@dataclass(frozen=True)
class Template:
    """A saved machine: its disk, its RAM, its devices' state, and the shape they belong to."""

    folder: Path
    shape: Shape

    @property
    def disk(self) -> Path:
        """The template's disk; clones lay overlays over it."""
        return self.folder / "disk.qcow2"

    @property
    def memory(self) -> Path:
        """The template's RAM; must stay, and must not be written, while a clone runs."""
        return self.folder / "ram"

    @property
    def devices(self) -> Path:
        """The state of the template's devices."""
        return self.folder / "devices"


def template_of(image: Image, shape: Shape, say: Callable[[str], None]) -> Template:
    """Return the image's template of that shape, made where the image has none (about a minute)."""
    template = Template(image.folder / f"template-{_key(shape)}", shape)
    with places.held(image.folder / "template.lock", say):
        if not template.devices.exists():
            say(f"booting a {image.suite} machine once and saving it (about a minute)")
            _make(template, image)
    return template


def overlay(base: Path, path: Path) -> None:
    """Make an empty disk at path that reads from base and keeps what is written to itself."""
    path.unlink(missing_ok=True)
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(base), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FlightlineError(f"{path} could not be made: {done.stderr.strip()}")


def take_in(monitor: Path, devices: Path) -> None:
    """Let a machine that waits for a state take in the saved one, and run."""
    with monitor_of(monitor) as session:
        _leave_memory_where_it_is(session)
        session.execute("migrate-incoming", uri=f"exec:cat {shlex.quote(str(devices))}")
        session.wait_for_migration(STATE_SECONDS)
        session.execute("cont")


def _make(template: Template, image: Image) -> None:
    unfinished = replace(template, folder=template.folder.with_suffix(".unfinished"))
    shutil.rmtree(unfinished.folder, ignore_errors=True)
    unfinished.folder.mkdir(mode=0o700)
    overlay(image.disk, unfinished.disk)
    golden = Machine(
        "template", unfinished.folder, template.shape, unfinished.disk, unfinished.memory,
        ports.free_tcp(), ports.free_udp(), "52:54:00:88:00:00",
    )  # fmt: skip
    pid = machine.start(golden, shared=True)
    since = machine.started(pid)
    try:
        _settle(golden, image)
        _save(golden, unfinished)
    finally:
        machine.stop(pid, since, golden.monitor)
    unfinished.folder.rename(template.folder)


def _settle(golden: Machine, image: Image) -> None:
    door = door_of(golden, image)
    shell.wait_until_open(door, BOOT_SECONDS)
    done = shell.run(door, f"sudo sh -c {shlex.quote(SETTLE)}", seconds=BOOT_SECONDS)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise FlightlineError(
            f"the template did not settle: {said}; its console is in {golden.serial_log}."
        )


def _save(golden: Machine, template: Template) -> None:
    with monitor_of(golden.monitor) as session:
        session.execute("stop")
        _leave_memory_where_it_is(session)
        session.execute("migrate", uri=f"exec:cat > {shlex.quote(str(template.devices))}")
        session.wait_for_migration(STATE_SECONDS)


def door_of(copy: Machine, image: Image) -> Door:
    """Return how to enter a machine that still answers with the image's host key."""
    known = copy.folder / "known_hosts"
    places.write_atomically(known, keys.known_hosts_line(copy.ssh_port, image.host_key))
    return Door(copy.name, copy.ssh_port, known, copy.serial_log)


def _leave_memory_where_it_is(session: Monitor) -> None:
    """Keep the RAM out of the state: both ends map the same file."""
    wanted = {"capability": "x-ignore-shared", "state": True}
    session.execute("migrate-set-capabilities", capabilities=[wanted])


def _key(shape: Shape) -> str:
    """Return the name of a shape and of the QEMU that saved it: another cannot read the state."""
    command = ["qemu-system-x86_64", "--version"]
    version = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    of_any_name = Machine("", Path(), shape, Path(), Path(), 0, 0, "")
    devices = machine.command_line(of_any_name, shared=True, incoming=False)
    processor = _processor() if shape.accelerator == KVM else ()
    text = "\n".join((version, *devices, *processor, SETTLE))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _processor() -> tuple[str, ...]:
    """Return what tells this computer's processor: under KVM the saved state is bound to it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return tuple(sorted({line for line in lines if line.startswith(("model name", "flags"))}))
