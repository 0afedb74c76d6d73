"""NVLinks of the machines, and what is declared of their GPUs."""

from __future__ import annotations

from flightline.audit.answers import Answer
from flightline.gpu.nvlink import COMMAND
from roles.nvidia.settings import NvidiaSettings
from tests.machines.models import BUILDS

# Product name: links, GB/s of one as nvidia-smi prints it (captures read 2026-11-20).
_LINKS = {
    "NVIDIA H100 80GB HBM3": (18, "26.562"),
    "NVIDIA A100-SXM4-80GB": (12, "25"),
    "NVIDIA B200": (18, "53.125"),
    "NVIDIA GB200": (18, "53.125"),
    "Tesla V100-SXM2-32GB": (6, "25.781"),
}


def answers(name: str) -> dict[str, Answer]:
    """Return the answer to `nvidia-smi nvlink --status`."""
    build = BUILDS[name]
    count, speed = _LINKS.get(build.model.product, (0, ""))
    lines = []
    for index in range(len(build.addresses)):
        lines.append(f"GPU {index}: {build.model.product} (UUID: GPU-{index:08x})")
        lines += [f"\t Link {link}: {speed} GB/s" for link in range(count)]
    return {"nvlink": Answer(COMMAND, 0, ("\n".join(lines) + "\n").encode())}


def settings(name: str) -> NvidiaSettings:
    """Return what is declared: as many GPUs as there are, and their MIG devices."""
    build = BUILDS[name]
    return NvidiaSettings(
        gpu_count=len(build.addresses), mig=(build.mig,) * 2 if build.mig else None
    )
