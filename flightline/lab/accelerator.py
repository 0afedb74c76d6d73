"""Whether this computer really runs virtual machines in hardware: found out by booting one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from flightline.lab import places

KVM = ("-accel", "kvm", "-cpu", "host")
# Emulation with a thread per virtual CPU; "max" has every feature that QEMU can emulate.
EMULATED = ("-accel", "tcg,thread=multi", "-cpu", "max")
PROBE_SECONDS = 15  # with KVM the kernel gets there within 2 s
# Without an initrd or a root disk a kernel that really runs ends in exactly this.
REACHED = b"Unable to mount root fs"


def accelerator(kernel: Path) -> tuple[str, ...]:
    """Return QEMU's accelerator arguments: KVM where it boots the kernel, else emulation.

    /dev/kvm may be there and boot nothing (seen 2026-11-20 on a virtual machine), so its presence
    says little. The answer is kept until this computer boots again.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return EMULATED
    return KVM if _remembered(kernel) else EMULATED


def _remembered(kernel: Path) -> bool:
    memory = places.cache() / "kvm.json"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    with places.held(places.cache() / "kvm.lock"):
        try:
            known = json.loads(memory.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        if known.get("boot_id") != boot:
            known = {"boot_id": boot, "works": boots(kernel)}
            places.write_atomically(memory, json.dumps(known))
    return bool(known["works"])


def boots(kernel: Path, how: tuple[str, ...] = KVM, seconds: float = PROBE_SECONDS) -> bool:
    """Return whether the kernel gets as far as looking for its root file system."""
    command = [
        *("qemu-system-x86_64", *how, "-m", "512", "-nodefaults", "-display", "none", "-no-reboot"),
        *("-serial", "stdio", "-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"),
    ]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as late:
        return REACHED in (late.stdout or b"")
    return REACHED in done.stdout
