"""Runs on every GPU of two nodes under torchrun: rank 0 prints `busbw GB/s wrong N`."""

import os
import sys
import time

import torch
from torch import distributed

SIZE_BYTES = 4 * 1024**3
ROUNDS = 20


def main() -> int:
    """Reduce 4 GiB of ones ROUNDS times; busbw as nccl-tests counts it."""
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl")
    ranks = distributed.get_world_size()
    values = torch.ones(SIZE_BYTES // 2, dtype=torch.bfloat16, device="cuda")
    distributed.all_reduce(values)
    wrong = int((values != ranks).sum().item())
    values.zero_()
    for _ in range(5):
        distributed.all_reduce(values)
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(ROUNDS):
        distributed.all_reduce(values)
    torch.cuda.synchronize()
    seconds = (time.perf_counter() - begun) / ROUNDS
    # nccl-tests doc/PERFORMANCE.md: bus bandwidth of all_reduce is 2 (n - 1) / n of size / time
    busbw = SIZE_BYTES / seconds * 2 * (ranks - 1) / ranks / 1e9
    if distributed.get_rank() == 0:
        sys.stdout.write(f"busbw {busbw:.1f} wrong {wrong}\n")
    distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
