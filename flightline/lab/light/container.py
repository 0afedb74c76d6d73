"""The container that a light node is: systemd-nspawn over an overlay, supervised by a shell."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import time
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from flightline.lab import keys, machine
from flightline.lab.light import packages
from flightline.lab.light.node import LightNode

# The overlays' upper and work folders, and where the node's root is mounted.
FOLDERS = ("disk", "disk.work", "packages", "packages.work", "root")
SHUTDOWN_SECONDS = 20  # 1 s measured, idle (2026-11-21); a package operation under way is killed


def command_line(node: LightNode, *, under_systemd: bool) -> list[str]:
    """Return the command that runs the node; pure.

    under_systemd: whether systemd runs this computer, and so makes a scope for the container.
    """
    return [
        *("unshare", "--mount", "--propagation", "private"),
        *("sh", str(files("flightline.lab.light") / "supervise.sh")),
        *(str(node.folder), node.root, str(packages.shared(node.suite))),
        *("systemd-nspawn", "--quiet", "--boot", f"--directory={node.folder / 'root'}"),
        *(f"--machine={machine_name(node)}", f"--hostname={node.name}", "--register=no"),
        *(() if under_systemd else ("--keep-unit",)),
        *("--resolv-conf=replace-host", "--link-journal=no", "--console=read-only"),
    ]


def machine_name(node: LightNode) -> str:
    """Return the container's name: two labs may have a light-1 each."""
    lab = hashlib.sha256(str(node.folder).encode()).hexdigest()[:8]
    return f"{node.name}-{lab}"


def started(node: LightNode) -> LightNode:
    """Start the container in a session of its own, to outlive this command; return it running.

    The node's folder holds its disk (`prepare`).
    """
    with node.console.open("wb") as log:
        process = subprocess.Popen(
            command_line(node, under_systemd=Path("/run/systemd/system").is_dir()),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    return replace(node, pid=process.pid, started=machine.started(process.pid))


def prepare(node: LightNode) -> None:
    """Make the node's empty disk, with what tells it from others: name, host key, port."""
    for name in FOLDERS:
        _open_folder(node.folder / name)
    for path, (content, mode) in files_of(node).items():
        _write(node.disk, path, content, mode)


def files_of(node: LightNode) -> dict[str, tuple[str, int]]:
    """Return what makes the node itself: path without the leading slash → (content, mode)."""
    return {
        "etc/hostname": (f"{node.name}\n", 0o644),
        "etc/hosts": (f"127.0.0.1 localhost\n127.0.1.1 {node.name}\n", 0o644),
        "etc/ssh/sshd_config.d/10-lab.conf": (f"ListenAddress 127.0.0.1:{node.ssh_port}\n", 0o644),
        "etc/ssh/ssh_host_ed25519_key": (node.host_key.read_text(encoding="ascii"), 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": (keys.public(node.host_key) + "\n", 0o644),
    }


def stop(node: LightNode) -> None:
    """Hold that nothing of the node runs: ask it to shut down, then kill it; nothing if it is off.

    Mounts end with the process; cgroups of a supervisor that was killed are removed here.
    """
    if node.is_running:
        _signal(node, signal.SIGTERM)
        if not _ended(node, SHUTDOWN_SECONDS):
            _signal(node, signal.SIGKILL)
            _ended(node, SHUTDOWN_SECONDS)
    with contextlib.suppress(OSError):
        Path(f"/run/systemd/nspawn/propagate/{machine_name(node)}").rmdir()
    for place in (".", "systemd", "unified"):
        _remove_group(Path("/sys/fs/cgroup", place, f"flightline-light-{node.pid}"))


def _signal(node: LightNode, number: signal.Signals) -> None:
    """Signal the supervisor and systemd-nspawn, which are a process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(node.pid, number)


def _ended(node: LightNode, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(node.pid, os.WNOHANG)
        if machine.started(node.pid) is None:
            return True
        time.sleep(0.05)
    return False


def _remove_group(group: Path) -> None:
    """Remove a cgroup and those in it, once the processes of a container that ends are gone."""
    deadline = time.monotonic() + SHUTDOWN_SECONDS
    while group.exists() and time.monotonic() < deadline:
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        time.sleep(0.05)


def _write(disk: Path, path: str, content: str, mode: int) -> None:
    for folder in reversed(Path(path).parents[:-1]):
        _open_folder(disk / folder)
    descriptor = os.open(disk / path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(content)


def _open_folder(path: Path) -> None:
    """Make a folder that the node's users may enter, whatever this process's umask is."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)
