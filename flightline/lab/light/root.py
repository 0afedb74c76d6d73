"""The folder that light nodes start from: a bare Debian server, built once a week and cached."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.lab import image, keys, mirror, places, programs, recipe

PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "udev", "kmod", "procps"),
    # The kernel does not run here: drivers are built for it, and its initrd is written.
    *("linux-image-amd64", "initramfs-tools", "zstd", "busybox"),
    *("openssh-server", "sudo", "ca-certificates", "less", "iproute2", "netbase"),
)


def root_of(suite: str, say: Callable[[str], None]) -> Path:
    """Return the suite's root folder, never to be written; built where the cache has none.

    Building takes about a minute and root's rights. Raises FlightlineError with the end of the log
    where it fails; nothing half-built stays.
    """
    source = mirror.of_this_computer()
    kept = roots() / f"{suite}-{content_key(suite, source)}"
    with places.held(roots() / f"{suite}.lock", say):
        if not kept.is_dir():
            programs.require(programs.TO_BUILD)
            say(f"building the root of light {suite} nodes (about 40 seconds, once a week)")
            _build(suite, kept, source)
            _drop_others(suite, kept)
    return kept


def roots() -> Path:
    """Return the folder of the cached roots; made where it is not there."""
    folder = places.cache() / "light"
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def content_key(suite: str, source: mirror.Mirror) -> str:
    """Return the name of a root's content: recipe, packages, mirror, access key and week."""
    week = datetime.now(UTC).strftime("%G-%V")
    packages = (*PACKAGES, *recipe.ALSO[suite])
    apt = (*source.lines(suite), *mirror.apt_options())
    text = "\n".join(
        (week, keys.public(keys.access_key()), recipe.INITRD, *packages, *apt, _script())
    )
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def build_command(suite: str, into: Path, source: mirror.Mirror) -> list[str]:
    """Return the mmdebstrap command that makes the folder a bare server."""
    access = shlex.quote(str(keys.access_key().with_suffix(".pub")))
    hooks = (
        'mkdir "$1/flightline-in"',
        f"upload {access} /flightline-in/access_key.pub",
        _script(),
    )
    return [
        *("mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"),
        f"--include={','.join((*PACKAGES, *recipe.ALSO[suite]))}",
        "--skip=check/qemu,cleanup/apt/lists",
        *(f"--aptopt={option}" for option in mirror.apt_options()),
        f"--essential-hook={recipe.INITRD}",
        *(f"--customize-hook={hook}" for hook in hooks),
        *(suite, str(into), *source.lines(suite)),
    ]


def _build(suite: str, kept: Path, source: mirror.Mirror) -> None:
    """Build into a folder beside the root's, then rename: the root is whole or not there."""
    unfinished = kept.with_name(f"{kept.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    image.refuse_a_full_disk(kept.parent)
    log = kept.with_name(f"{kept.name}.log")
    try:
        image.run_build(build_command(suite, unfinished, source), log)
    except FlightlineError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    unfinished.rename(kept)


def _drop_others(suite: str, kept: Path) -> None:
    """Remove the suite's older roots, save those that the overlay of a running node lies over."""
    mounts = _all_mounts()
    for path in roots().glob(f"{suite}-*"):
        if path.name.split(".")[0] != kept.name and str(path) not in mounts:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _all_mounts() -> str:
    """Return what is mounted in any namespace of this computer."""
    found = []
    for path in Path("/proc").glob("[0-9]*/mountinfo"):
        with contextlib.suppress(OSError):  # a process that ended meanwhile
            found.append(path.read_text(encoding="utf-8", errors="replace"))
    return "".join(found)


def _script() -> str:
    return (files("flightline.lab.light") / "root.sh").read_text(encoding="utf-8")
