"""Downloaded packages, kept so that a fresh node of the suite does not download them again.

A node has the shared folder under its apt cache, through an overlay: apt's lock and its unfinished
downloads are the node's own. What it has downloaded moves to the shared folder when it goes. apt
compares every file with its signed index before it is used.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from flightline.lab import places
from flightline.lab.image import KEPT_DAYS
from flightline.lab.light.node import LightNode


def shared(suite: str) -> Path:
    """Return the folder of the suite's downloaded packages; made where it is not there."""
    folder = places.cache() / "light-packages" / suite
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    return folder


def keep(node: LightNode) -> None:
    """Move what the node, which is off, has downloaded to the shared folder; drop what is old."""
    folder = shared(node.suite)
    for path in node.packages.glob("*.deb"):
        if path.is_file():  # a removed package is a device file in an overlay
            shutil.move(path, folder / path.name)
    oldest = time.time() - KEPT_DAYS * 86400
    for path in folder.glob("*.deb"):
        if path.stat().st_mtime < oldest:
            path.unlink()
