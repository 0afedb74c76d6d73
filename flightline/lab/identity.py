"""What makes a copied machine a node of its own: clock, name, ids, addresses, host key."""

from __future__ import annotations

import io
import shlex
import tarfile
import time
import uuid

from flightline.errors import FlightlineError
from flightline.lab import keys, shell
from flightline.lab.shell import Door
from flightline.lab.state import Node, mac_of

# Timers are stopped in a template: a clock that jumps would fire the daily ones at once, and apt's
# lock would be taken when a test wants it. Stamped as just run, they start again as on any server.
SCRIPT = """
set -eu
date -s "@$NOW" >/dev/null
tar -C / -x --no-same-owner -f -
hostname "$NAME"
ip link set eth1 down
ip link set eth1 address "$MAC"
ip link set eth1 up
networkctl reload
networkctl reconfigure eth1
find /var/lib/systemd/timers -name 'stamp-*' -exec touch {} +
systemctl restart timers.target
systemctl restart systemd-journald
test ! -e /var/lib/dbus/machine-id || ln -sf /etc/machine-id /var/lib/dbus/machine-id
sync
systemctl reload ssh
"""


def give(node: Node, door: Door, seconds: float = 300) -> None:
    """Make the machine behind the template's door the node; everything also holds after a reboot.

    The host key and the machine id are made on this computer; the key travels on standard input.
    """
    values = {
        "NOW": str(int(time.time())),
        "NAME": node.name,
        "MAC": mac_of(node.suite, node.number),
    }
    given = "; ".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
    command = f"sudo sh -c {shlex.quote(given + SCRIPT)}"
    done = shell.run(door, command, send=_archive(files_of(node)), seconds=seconds)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise FlightlineError(
            f"{node.name}: could not be given its identity "
            f"({said[-1] if said else 'no reason given'}); its console is in {door.serial_log}."
        )


def files_of(node: Node) -> dict[str, tuple[str, int]]:
    """Return what makes the node itself: path without the leading slash → (content, mode)."""
    host_key = node.folder / "host_key"
    card = (
        f"[Match]\nName=eth1\n\n[Link]\nMACAddress={mac_of(node.suite, node.number)}\n\n"
        f"[Network]\nAddress={node.address}/24\n"
    )
    return {
        "etc/hostname": (f"{node.name}\n", 0o644),
        "etc/hosts": (f"127.0.0.1 localhost\n127.0.1.1 {node.name}\n", 0o644),
        "etc/machine-id": (f"{uuid.uuid4().hex}\n", 0o444),
        "etc/systemd/network/20-eth1.network": (card, 0o644),
        "etc/ssh/ssh_host_ed25519_key": (host_key.read_text(encoding="ascii"), 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": (keys.public(host_key) + "\n", 0o644),
    }


def _archive(files: dict[str, tuple[str, int]]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for path, (content, mode) in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(content.encode()), mode, int(time.time())
            archive.addfile(entry, io.BytesIO(content.encode()))
    return held.getvalue()
