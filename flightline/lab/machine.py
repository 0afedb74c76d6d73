"""A virtual machine: the QEMU process, its command line, its end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.lab.monitor import MonitorError, monitor_of

GATEWAY_PORT = 8443  # GatewaySettings.port, unless a group says otherwise
START_SECONDS = 30  # until QEMU offers its monitor: 0.2 s measured


@dataclass(frozen=True)
class Shape:
    """What a machine and every clone of it must have alike, since it is in the saved state."""

    accelerator: tuple[str, ...]
    memory_mib: int
    cpus: int


@dataclass(frozen=True)
class Machine:
    """One machine to be started: its shape, its disk, its place in the networks."""

    name: str
    folder: Path
    """Holds the monitor's socket, the serial log and QEMU's own messages."""
    shape: Shape
    disk: Path
    memory: Path | None
    """The file that the machine's RAM is mapped from; None: this computer's own memory."""
    ssh_port: int
    segment_port: int
    """UDP port of the multicast group that is the second network."""
    mac: str
    gateway_port: int = 0
    """Port of 127.0.0.1 that leads to the node's gateway; 0: none, as in a template."""

    @property
    def monitor(self) -> Path:
        """The QMP socket."""
        return self.folder / "qmp.sock"

    @property
    def serial_log(self) -> Path:
        """What the machine wrote to its console."""
        return self.folder / "serial.log"

    @property
    def qemu_log(self) -> Path:
        """What QEMU itself complained about."""
        return self.folder / "qemu.log"


def command_line(machine: Machine, *, shared: bool, incoming: bool) -> list[str]:
    """Return QEMU's command line.

    shared: the RAM file holds what the machine writes (a template to be); otherwise the file is
    read and what is written stays private. incoming: wait for a saved state instead of booting.
    The devices and their order are part of the saved state: a template fits one order only.
    """
    shape = machine.shape
    # Multicast on loopback: the lab's machines hear one another, nothing leaves this computer.
    segment = f"socket,id=segment,mcast=230.0.0.1:{machine.segment_port},localaddr=127.0.0.1"
    return [
        *("qemu-system-x86_64", "-name", machine.name, *shape.accelerator),
        *(
            "-machine",
            "q35,memory-backend=ram",
            "-smp",
            str(shape.cpus),
            "-m",
            f"{shape.memory_mib}M",
        ),
        *("-object", _ram(machine, shared)),
        *(
            "-nodefaults",
            "-display",
            "none",
            "-qmp",
            "unix:qmp.sock,server=on,wait=off",
            "-serial",
            "file:serial.log",
        ),
        # A node's disk is worth no more than the node: let the computer write it when it likes.
        *(
            "-drive",
            f"file={_escaped(machine.disk)},if=virtio,format=qcow2,cache=unsafe,discard=unmap",
        ),
        *("-netdev", _uplink(machine)),
        *("-device", "virtio-net-pci,netdev=uplink,romfile="),
        *(
            "-netdev",
            segment,
            "-device",
            f"virtio-net-pci,netdev=segment,mac={machine.mac},romfile=",
        ),
        *("-device", "virtio-rng-pci"),
        # Tells a clone's kernel that it is one, which reseeds its random numbers (Linux 5.18).
        *("-device", "vmgenid,guid=auto"),
        *(("-incoming", "defer") if incoming else ()),
    ]


def start(machine: Machine, *, shared: bool = False, incoming: bool = False) -> int:
    """Start QEMU in a session of its own, to outlive this command; return its process id."""
    machine.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    machine.monitor.unlink(missing_ok=True)
    with machine.qemu_log.open("wb") as log:
        process = subprocess.Popen(
            command_line(machine, shared=shared, incoming=incoming),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=machine.folder,
            start_new_session=True,
        )
    try:
        with monitor_of(machine.monitor, seconds=START_SECONDS):
            return process.pid
    except MonitorError:
        ended = process.poll() is not None
        stop(process.pid, started(process.pid), machine.monitor)
        raise FlightlineError(_why_not(machine, ended)) from None


def stop(pid: int, since: int | None, monitor: Path, seconds: float = 5.0) -> None:
    """Hold that the machine is off: ask QEMU to quit, then kill it; nothing if it is off."""
    with contextlib.suppress(MonitorError, OSError):
        if is_running(pid, since):
            with monitor_of(monitor, seconds=1.0) as session:
                session.execute("quit")
    if not _gone(pid, since, seconds):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _gone(pid, since, seconds)


def is_running(pid: int, since: int | None) -> bool:
    """Return whether the process is the one that was started then: a process id is used again."""
    return since is not None and started(pid) == since


def started(pid: int) -> int | None:
    """Return a process's start, in clock ticks since this computer's boot; None when gone.

    Field 22 of /proc/PID/stat (proc(5)); a zombie counts as gone.
    """
    try:
        # The second field, the name, may hold blanks and brackets: count from behind it.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def _gone(pid: int, since: int | None, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid, since):
        if time.monotonic() > deadline:
            return False
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.02)
    return True


def _why_not(machine: Machine, ended: bool) -> str:
    said = machine.qemu_log.read_text(errors="replace").strip().splitlines()
    if any("host forwarding" in line for line in said):
        return (
            f"{machine.name}: port {machine.ssh_port} or {machine.gateway_port} of 127.0.0.1 is in "
            "use by another program; "
            f"run `flightline lab reset {machine.name}` to choose another."
        )
    silent = "it ended" if ended else f"it offers no monitor after {START_SECONDS} s"
    why = said[-1] if said else silent
    return f"{machine.name}: QEMU did not start: {why} (log: {machine.qemu_log})."


def _uplink(machine: Machine) -> str:
    """Return the way out, and in from 127.0.0.1 alone; no part of a saved state."""
    ways_in = {22: machine.ssh_port, GATEWAY_PORT: machine.gateway_port}
    forwards = (f"hostfwd=tcp:127.0.0.1:{port}-:{to}" for to, port in ways_in.items() if port)
    return ",".join(("user,id=uplink", *forwards))


def _ram(machine: Machine, shared: bool) -> str:
    size = f"id=ram,size={machine.shape.memory_mib}M"
    if machine.memory is None:
        return f"memory-backend-ram,{size}"
    mapped = f"mem-path={_escaped(machine.memory)},share={'on' if shared else 'off'}"
    return f"memory-backend-file,{size},{mapped}"


def _escaped(path: Path) -> str:
    """Return a path as one value of a QEMU option, where a comma is written twice."""
    return str(path).replace(",", ",,")
