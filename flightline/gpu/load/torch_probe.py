"""Runs on a node, in a container with PyTorch: one JSON line with each GPU's rates.

Memory: a copy of 4 GiB within the GPU reads and writes it: twice the bytes. Matrix: bf16, dense,
8192 cubed, the best of five runs of 20.
"""

import json
import sys
import time
from typing import Any

try:
    import torch
except ImportError:
    sys.stderr.write("PyTorch is not installed\n")
    sys.exit(127)

SIZE = 8192
COPY_BYTES = 4 * 1024**3


def main() -> int:
    """Measure all GPUs, one after the other."""
    found = [measured(number) for number in range(torch.cuda.device_count())]
    sys.stdout.write(json.dumps({"torch": torch.__version__, "gpus": found}) + "\n")
    return 0


def measured(number: int) -> dict[str, Any]:
    """Return name, GB/s and TFLOPS of one GPU."""
    with torch.cuda.device(number):
        return {
            "name": torch.cuda.get_device_name(number),
            "memory_gbps": 2 * COPY_BYTES / copied() / 1e9,
            "bf16_tflops": 2 * SIZE**3 / multiplied() / 1e12,
        }


def copied() -> float:
    """Return the seconds of one copy within the GPU."""
    source = torch.empty(COPY_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return best(lambda: target.copy_(source))


def multiplied() -> float:
    """Return the seconds of one product."""
    left, right = (torch.randn(SIZE, SIZE, device="cuda").bfloat16() for _ in range(2))
    return best(lambda: torch.matmul(left, right))


def best(work: Any) -> float:
    """Return the shortest mean seconds of one call, after a warm-up."""
    shortest = float("inf")
    for _ in range(6):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        for _ in range(20):
            work()
        torch.cuda.synchronize()
        shortest = min(shortest, (time.perf_counter() - begun) / 20)
    return shortest


if __name__ == "__main__":
    sys.exit(main())
