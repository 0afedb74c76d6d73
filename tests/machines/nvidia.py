"""NVLinks and MIG devices of the machines, and what is declared of their GPUs."""

from __future__ import annotations

from flightline.audit.answers import Answer
from flightline.gpu import mig, nvlink
from roles.nvidia.settings import NvidiaSettings
from tests.machines.models import BUILDS, Build

# Product name: links, GB/s of one as nvidia-smi prints it (captures read 2026-11-20).
_LINKS = {
    "NVIDIA H100 80GB HBM3": (18, "26.562"),
    "NVIDIA A100-SXM4-80GB": (12, "25"),
    "NVIDIA B200": (18, "53.125"),
    "NVIDIA GB200": (18, "53.125"),
    "Tesla V100-SXM2-32GB": (6, "25.781"),
}


def answers(name: str) -> dict[str, Answer]:
    """Return what nvidia-smi says of NVLinks and of MIG devices."""
    return {
        "nvlink": Answer(nvlink.COMMAND, 0, _nvlink(BUILDS[name]).encode()),
        "mig": Answer(mig.COMMAND, 0, _mig(BUILDS[name]).encode()),
    }


def _mig(build: Build) -> str:
    devices = [f"  MIG {build.mig}     Device  {n}: (UUID: MIG-{n})\n" for n in range(2)]
    return "".join(
        f"GPU {index}: {build.model.product} (UUID: GPU-{index:08x})\n"
        + ("".join(devices) if build.mig else "")
        for index in range(len(build.addresses))
    )


def _nvlink(build: Build) -> str:
    count, speed = _LINKS.get(build.model.product, (0, ""))
    lines = []
    for index in range(len(build.addresses)):
        lines.append(f"GPU {index}: {build.model.product} (UUID: GPU-{index:08x})")
        lines += [f"\t Link {link}: {speed} GB/s" for link in range(count)]
    return "\n".join(lines) + "\n"


def settings(name: str) -> NvidiaSettings:
    """Return what is declared: as many GPUs as there are, and their MIG devices."""
    build = BUILDS[name]
    return NvidiaSettings(
        gpu_count=len(build.addresses), mig=(build.mig,) * 2 if build.mig else None
    )
