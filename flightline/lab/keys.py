"""The lab's SSH keys: one to enter every node, one per node to be known by."""

from __future__ import annotations

import subprocess
from pathlib import Path

from flightline.lab import places, programs


def access_key() -> Path:
    """Return the private key that opens every node of this user's lab; made on first use.

    It lies beside the images because they carry its public half.
    """
    path = places.cache() / "access_key"
    with places.held(places.cache() / "access_key.lock"):
        if not path.exists():
            programs.require(programs.TO_RUN)
            generate(path, "flightline-lab")
    return path


def generate(path: Path, comment: str) -> None:
    """Make an Ed25519 key pair at path and path.pub, without a passphrase, for the owner alone."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def public(path: Path) -> str:
    """Return the public half of a key as one line."""
    return path.with_name(path.name + ".pub").read_text(encoding="ascii").strip()


def known_hosts_line(port: int, path: Path) -> str:
    """Return the known_hosts line that pins a port of this computer to the key at path."""
    kind, key, *_ = public(path).split()
    return f"[127.0.0.1]:{port} {kind} {key}\n"
