"""What of the driver only a reboot can bring, judged on the live node."""

from __future__ import annotations

from flightline.reboot import RebootProbe
from roles.nvidia.settings import NvidiaSettings

# Debian's own package names the file nvidia-current; nvidia is an alias there.
_STALE = (
    "test -r /sys/module/nvidia/version || exit 1; "
    "disk=$(modinfo -F version nvidia 2>/dev/null || modinfo -F version nvidia-current) && "
    'test "$disk" != "$(cat /sys/module/nvidia/version)"'
)
_NOUVEAU = (
    "modinfo nvidia >/dev/null 2>&1 || modinfo nvidia-current >/dev/null 2>&1 || exit 1; "
    'for device in /sys/bus/pci/drivers/nouveau/*:*; do test -e "$device" && exit 0; done; exit 1'
)


def reboot_probes(_settings: NvidiaSettings) -> tuple[RebootProbe, ...]:
    """Return the reasons for a reboot; none of them holds on a node without an NVIDIA driver."""
    return (
        RebootProbe("the loaded NVIDIA driver is not the installed one", _STALE),
        RebootProbe("nouveau drives a GPU although the NVIDIA driver is installed", _NOUVEAU),
    )
