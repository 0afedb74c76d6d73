"""A bare Debian server as a bootable disk image, built once and kept in the cache.

The image is a fresh operating system and no more: kernel, GRUB, systemd, sshd, sudo. What a role
installs is not in it.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.lab import keys, mirror, places, programs

PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "udev", "kmod", "procps", "apparmor"),
    *("linux-image-amd64", "initramfs-tools", "zstd", "busybox"),
    *("grub-pc-bin", "grub2-common", "grub-common"),
    *("openssh-server", "sudo", "ca-certificates", "less"),
    *("iproute2", "iputils-ping", "netbase"),
)
# What a fresh server of that release has besides: from 13 on the kernel's usual defaults (who may
# ping, protected links) are a package of their own.
ALSO = {"bookworm": (), "trixie": ("linux-sysctl-defaults",)}
DISK_GIB = 16  # sparse: what a node writes is what it takes
BUILD_SECONDS = 900  # 41 s measured on 2 cores (2026-11-21); a slow mirror may take far longer
KEPT_DAYS = 14  # an image is 1 GB, and there is a new one each week
FREE_GIB = 5  # the unpacked root, the raw disk and the finished image are there at the same time

# Before the kernel's package builds its initrd: a list, since a chroot shows the wrong machine.
INITRD = r"""
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
echo MODULES=list > "$1/etc/initramfs-tools/conf.d/flightline-lab"
printf '%s\n' virtio_pci virtio_blk virtio_net ext4 \
  > "$1/usr/share/initramfs-tools/modules.d/flightline-lab"
"""


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
    key = content_key(suite, wanted)
    image = Image(suite, key, places.cache() / f"{suite}-{key}")
    with places.held(places.cache() / f"{suite}.lock", say):
        if not image.disk.exists():
            programs.require(*programs.to_build())
            say(f"building the {suite} image (about 45 seconds, once a week)")
            _build(image, wanted)
            drop_old(suite)
    return image


def content_key(suite: str, source: mirror.Mirror) -> str:
    """Return the name of an image's content: recipe, packages, mirror, access key and week.

    The week is in it so that an image does not fall months behind on security updates.
    """
    week = datetime.now(UTC).strftime("%G-%V")
    access = keys.public(keys.access_key())
    parts = (
        week,
        access,
        str(DISK_GIB),
        INITRD,
        *PACKAGES,
        *ALSO[suite],
        *source.lines(suite),
        *mirror.apt_options(),
    )
    text = "\n".join((*parts, _script("image.sh"), _script("disk.sh")))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


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
    log = image.folder.with_suffix(".log")
    with log.open("w", encoding="utf-8") as out:
        command = build_command(image.suite, unfinished, source)
        _run_build(command, out.fileno(), log)
    for name in ("disk.qcow2", "vmlinuz"):
        if not (unfinished / name).is_file():
            raise FlightlineError(f"the {image.suite} image lacks its {name}; the log is {log}.")
    unfinished.rename(image.folder)


def _run_build(command: list[str], out: int, log: Path) -> None:
    environment = {
        **os.environ,
        "TMPDIR": _scratch(),
        "PATH": programs.SEARCHED,
        "LC_ALL": "C.UTF-8",
    }
    try:
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


def build_command(suite: str, into: Path, source: mirror.Mirror) -> list[str]:
    """Return the mmdebstrap command that leaves disk.qcow2 and vmlinuz in the folder."""
    settings = f"ROOT_UUID={uuid.uuid4()}; DISK_GIB={DISK_GIB}\n"
    inward = {
        into / "host_key": "host_key",
        into / "host_key.pub": "host_key.pub",
        keys.access_key().with_suffix(".pub"): "access_key.pub",
    }
    hooks = [
        'mkdir "$1/flightline-in"',
        *(
            f"upload {shlex.quote(str(path))} /flightline-in/{name}"
            for path, name in inward.items()
        ),
        settings + _script("image.sh"),
        settings + _script("disk.sh"),
        *(
            f"download /flightline-out/{n} {shlex.quote(str(into / n))}"
            for n in ("disk.qcow2", "vmlinuz")
        ),
    ]
    return [
        *(
            "mmdebstrap",
            "--variant=minbase",
            "--format=null",
            f"--include={','.join((*PACKAGES, *ALSO[suite]))}",
        ),
        # The package lists stay: a fresh server has them, and the first refresh is then quick.
        "--skip=check/qemu,cleanup/apt/lists",
        *("--mode=root" if os.geteuid() == 0 else "--mode=unshare",),
        *(f"--aptopt={option}" for option in mirror.apt_options()),
        f"--essential-hook={INITRD}",
        *(f"--customize-hook={hook}" for hook in hooks),
        *(suite, "/dev/null", *source.lines(suite)),
    ]


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


def _script(name: str) -> str:
    return (files("flightline.lab") / name).read_text(encoding="utf-8")
