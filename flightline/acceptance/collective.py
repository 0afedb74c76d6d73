"""all_reduce over two nodes: the command of each rank, and what rank 0 prints; pure."""

from __future__ import annotations

import re
import shlex
from importlib import resources

from flightline.gpu.load.commands import LEAVES_NOTHING

PORT = 29500
"""PyTorch's own default rendezvous port."""

RAIL = "all GPUs"

# As NVIDIA's multi-node advice has it: host network and IPC, verbs devices, locked memory.
_DOCKER = (
    "docker run --rm --init --pull never --network host --ipc host --gpus all "
    "--ulimit memlock=-1 --ulimit stack=67108864 --cap-add IPC_LOCK"
)


def rank(number: int, gpus: int, address: str, image: str | None) -> str:
    """Return the command of one node: rank 0 holds the rendezvous at `address`.

    RING: across two nodes NVLSTree's busbw counts traffic that never leaves a node
    (nccl-tests issues 290 and 319, read 2026-11-20).
    """
    script = resources.files("flightline.acceptance").joinpath("torch_reduce.py")
    run = (
        f"--nnodes 2 --node-rank {number} --nproc-per-node {gpus} "
        f"--master-addr {shlex.quote(address)} --master-port {PORT} "
        f"--no-python python3 -c {shlex.quote(script.read_text('utf-8'))}"
    )
    if image is None:
        return f"NCCL_ALGO=RING exec timeout -k 30 300 torchrun {run}"
    return (
        "verbs=; [ ! -d /dev/infiniband ] || verbs='--device /dev/infiniband'\n"
        "conf=; [ ! -f /etc/nccl.conf ] || conf='-v /etc/nccl.conf:/etc/nccl.conf:ro'\n"
        f"{LEAVES_NOTHING}timeout -k 30 300 {_DOCKER} $verbs $conf -e NCCL_ALGO=RING "
        f'--name "$name" --entrypoint torchrun {shlex.quote(image)} {run}'
    )


def busbw_gbps(text: str) -> float | None:
    """Return the bus bandwidth, GB/s, from rank 0's line `busbw 392.1 wrong 0`; None without one.

    A sum that came out wrong counts as no result.
    """
    found = re.search(r"^busbw ([0-9.]+) wrong (\d+)$", text, re.MULTILINE)
    return float(found.group(1)) if found and found.group(2) == "0" else None
