"""Rebuilding the initramfs images of all installed kernels."""

from __future__ import annotations

_REBUILD = {
    # update-initramfs(8): -u changes existing images only, -k all reaches every kernel.
    "debian": "update-initramfs -u -k all",
    # dracut(8): without --force an existing image is kept; the default is the running kernel only.
    "rhel": "dracut --force --regenerate-all",
}


def rebuild(family: str) -> str:
    """Return the command; `family` is "debian" or "rhel", others raise KeyError."""
    return _REBUILD[family]
