"""What `flightline.gpu.kernel_log.SCRIPT` prints on a machine."""

from __future__ import annotations

from tests.machines.models import Build


def render(build: Build) -> str:
    """Return a log from boot on in which nothing is wrong."""
    lines = ["since: [    0.000000] gpu-01 kernel: Linux version 6.8.0-90-generic (buildd@lcy02)"]
    for card in build.cards:
        lines.append(
            f"[    4.201873] gpu-01 kernel: mlx5_core {card}: firmware version: 28.43.2026"
        )
    lines.append(
        "[    6.481220] gpu-01 kernel: NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  "
        f"{build.driver}  Release Build"
    )
    return "\n".join([*lines, "end", ""])
