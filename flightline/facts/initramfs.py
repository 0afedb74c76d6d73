"""Which initramfs images are older than what they must contain."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase


class StaleInitramfs(FactBase[list[str]]):
    """The images in /boot that were built before `source` was last written.

    Debian names them initrd.img-VERSION, RHEL initramfs-VERSION.img; its rescue and kdump images
    are left alone. One real line: `/boot/initrd.img-6.1.0-41-amd64` (Debian 12, 2026-11-20).
    """

    def command(self, source: str) -> str:
        """Return the script; prints nothing when all images are newer."""
        return (
            "for image in /boot/initrd.img-*[0-9a-z] /boot/initramfs-*.img; do "
            "case $image in *rescue*|*kdump*|*.old-dkms) continue;; esac; "
            f'if [ -f "$image" ] && [ "$image" -ot {shlex.quote(source)} ]; '
            'then echo "$image"; fi; done'
        )

    def process(self, output: list[str]) -> list[str]:
        """Return the paths."""
        return [line.strip() for line in output if line.strip()]
