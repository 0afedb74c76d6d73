"""A bare Debian server as a bootable disk image, built once and kept in the cache.

The image is a fresh operating system and no more: kernel, GRUB, systemd, sshd, sudo. What a role
installs is not in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.lab import keys, mirror, places, programs, recipe

BUILD_SECONDS = 900  # 41 s measured on 2 cores (2026-11-21); a slow mirror may take far longer
KEPT_DAYS = 14  # an image is 1 GB, and there is a new one each week
FREE_GIB = 5  # the unpacked root, the raw disk and the finished image are there at the same time


@dataclass(frozen=True)
class Image:
    """A built image: a folder of the cache with disk.qcow2, vmlinuz and the template's host key."""

    suite: str
    key: str
    folder: Path

    @property
    def disk(self) -> Path:
        """The qcow2 disk; never written, nodes lay overlays over it."""
        return self.folder / "disk.qcow2"

    @property
    def kernel(self) -> Path:
        """The disk's kernel, to probe KVM with."""
        return self.folder / "vmlinuz"

    @property
    def host_key(self) -> Path:
        """The SSH host key that every copy of the image answers with until it has its own."""
        return self.folder / "host_key"


def image_of(suite: str, say: Callable[[str], None]) -> Image:
    """Return the suite's image, building it where the cache has none (about a minute).

    Raises FlightlineError with the end of the log where the build fails; nothing half-built stays.
    """
    wanted = mirror.of_this_computer()
    key = recipe.content_key(suite, wanted)
    image = Image(suite, key, places.cache() / f"{suite}-{key}")
    with places.held(places.cache() / f"{suite}.lock", say):
        if not image.disk.exists():
            programs.require(*programs.to_build())
            say(f"building the {suite} image (about 45 seconds, once a week)")
            _build(image, wanted)
            drop_old(suite)
    return image


def drop_old(suite: str) -> None:
    """Remove the suite's images that have not been built, or had a template made, for KEPT_DAYS.

    A node that still runs on one keeps its open files; its reset takes the current image.
    """
    oldest = time.time() - KEPT_DAYS * 86400
    for path in places.cache().glob(f"{suite}-*"):
        if path.stat().st_mtime < oldest:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _build(image: Image, source: mirror.Mirror) -> None:
    """Build into a folder beside the image's, then rename: the image is whole or not there."""
    unfinished = image.folder.with_name(f"{image.folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    refuse_a_full_disk(unfinished)
    keys.generate(unfinished / "host_key", "root@fresh")
    command = recipe.build_command(image.suite, unfinished, source)
    log = image.folder.with_suffix(".log")
    run_build(command, log)
    for name in ("disk.qcow2", "vmlinuz"):
        if not (unfinished / name).is_file():
            raise FlightlineError(f"the {image.suite} image lacks its {name}; the log is {log}.")
    unfinished.rename(image.folder)


def run_build(command: list[str], log: Path) -> None:
    """Run a build, its output in the log; raise FlightlineError with its reason where it fails."""
    environment = {
        **os.environ,
        "TMPDIR": _scratch(),
        "PATH": programs.SEARCHED,
        "LC_ALL": "C.UTF-8",
    }
    try:
        with log.open("w", encoding="utf-8") as out:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment,
                timeout=BUILD_SECONDS, check=False,
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise FlightlineError(
            f"building the image took over {BUILD_SECONDS} s and was stopped; the log is {log}."
        ) from None
    if done.returncode != 0:
        raise FlightlineError(f"building the image failed: {reason(log)} (whole log: {log}).")


def _scratch() -> str:
    """Return where the root is unpacked: on disk, and open to the user ids of a user namespace."""
    return os.environ.get("TMPDIR", "/var/tmp")  # noqa: S108 - mmdebstrap makes its own unguessable folder there


def refuse_a_full_disk(folder: Path) -> None:
    """Hold that a build has the room it takes, in the folder and where the root is unpacked."""
    for place in (folder, Path(_scratch())):
        free = shutil.disk_usage(place).free / 2**30
        if free < FREE_GIB:
            raise FlightlineError(
                f"{place} has {free:.1f} GiB free, building an image takes {FREE_GIB} GiB; "
                "free some or set XDG_CACHE_HOME and TMPDIR to a larger disk."
            )


def reason(log: Path) -> str:
    """Return the lines of the log that say what went wrong, else its last ones."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "Err:", "W: Failed"))]
    return " | ".join((errors or lines)[-3:])
