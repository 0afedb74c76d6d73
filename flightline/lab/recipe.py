"""How an image is made: its packages, its name, the mmdebstrap command that builds it."""

from __future__ import annotations

import hashlib
import os
import shlex
import uuid
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from flightline.lab import keys, mirror

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

# Before the kernel's package builds its initrd: a list, since a chroot shows the wrong machine.
INITRD = r"""
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
echo MODULES=list > "$1/etc/initramfs-tools/conf.d/flightline-lab"
printf '%s\n' virtio_pci virtio_blk virtio_net ext4 \
  > "$1/usr/share/initramfs-tools/modules.d/flightline-lab"
"""


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


def _script(name: str) -> str:
    return (files("flightline.lab") / name).read_text(encoding="utf-8")
