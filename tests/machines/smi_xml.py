"""Writes what `nvidia-smi -q -x` prints for a machine, in its driver's dialect; all healthy.

The element names and their order are the driver's; the values are ours.
"""

from __future__ import annotations

import re
from dataclasses import replace

from tests.machines.models import Build
from tests.machines.smi_readings import bottom
from tests.machines.smi_sections import Nodes, ecc, top


def render(build: Build, *, branch: int | None = None) -> str:
    """Return the document; `branch` is another driver's than the build's own."""
    if branch is not None:
        build = replace(build, driver=f"{branch}.99.01")
    version = 13 if build.branch >= 570 else 12 if build.branch >= 525 else 11
    body = "".join(_gpu(build, index) for index in range(len(build.addresses)))
    return (
        '<?xml version="1.0" ?>\n'
        f'<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v{version}.dtd">\n'
        "<nvidia_smi_log>\n"
        "\t<timestamp>Fri Nov 20 08:54:01 2026</timestamp>\n"
        f"\t<driver_version>{build.driver}</driver_version>\n"
        f"\t<cuda_version>{build.cuda}</cuda_version>\n"
        f"\t<attached_gpus>{len(build.addresses)}</attached_gpus>\n"
        f"{body}</nvidia_smi_log>\n"
    )


def with_value(document: str, gpu: int, path: str, value: str) -> str:
    """Return the document with one value of one GPU changed: path "ecc_mode/current_ecc"."""
    blocks = re.split(r"(?=\t<gpu id=)", document)
    block = blocks[gpu + 1]
    start = 0
    for tag in path.split("/"):
        start = block.index(f"<{tag}>", start) + len(tag) + 2
    end = block.index("</", start)
    blocks[gpu + 1] = block[:start] + value + block[end:]
    return "".join(blocks)


def without_gpu(document: str, gpu: int) -> str:
    """Return the document without one of the GPUs; attached_gpus stays as it was."""
    blocks = re.split(r"(?=\t<gpu id=)", document)
    tail = blocks[gpu + 1].partition("</gpu>\n")[2]
    blocks[gpu + 1] = tail
    return "".join(blocks)


def _gpu(build: Build, index: int) -> str:
    address = f"0000{build.addresses[index].upper()}"
    nodes = (*top(build, index), *ecc(build), *bottom(build, index))
    return f'\t<gpu id="{address}">\n{_written(nodes, 2)}\t</gpu>\n'


def _written(nodes: Nodes, depth: int) -> str:
    return "".join(_node(tag, value, "\t" * depth, depth) for tag, value in nodes)


def _node(tag: str, value: str | Nodes, indent: str, depth: int) -> str:
    if isinstance(value, str):
        return f"{indent}<{tag}>{value}</{tag}>\n"
    return f"{indent}<{tag}>\n{_written(value, depth + 1)}{indent}</{tag}>\n"
