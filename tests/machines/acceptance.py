"""What the acceptance's programs print on a sound 8 x H100 SXM; written for these tests.

Figures lie above the catalog's floors and near published ones (ml-engineering, nccl-tests #290).
"""

from __future__ import annotations

import json

from flightline.acceptance.evidence import answer
from flightline.acceptance.kinds import AllReduce, RdmaWrite
from flightline.acceptance.pairs import Measured, Pair
from flightline.audit.answers import Answer
from flightline.gpu.load import commands
from roles.nvidia.settings import AcceptanceSettings

GPUS = 8
ADDRESSES = [f"00000000:{bus:02X}:00.0" for bus in range(0x19, 0x19 + GPUS)]


def answers(name: str) -> dict[str, Answer]:
    """Return the answers of that machine by label; none for machines that are not loaded."""
    if name != "h100_sxm_8":
        return {}
    wanted = AcceptanceSettings()
    printed = {
        "probe": (commands.probe(None), _probe()),
        "copies": (commands.copies(None), _copies()),
        "all-reduce": (commands.all_reduce(GPUS, None), _all_reduce()),
        "burn": (commands.burn(wanted.burn_seconds, None), _burn()),
        "dcgm": (commands.diagnose(wanted.dcgm_level), _dcgm()),
    }
    return {
        **{
            label: Answer(command, 0, stdout.encode())
            for label, (command, stdout) in printed.items()
        },
        "write-pairs": _pairs(RdmaWrite(ports=lambda *_: ()).label, "mlx5_0", 392.5, 360.0),
        "reduce-pairs": _pairs(AllReduce(image=lambda _: None).label, "all GPUs", 388.1, 250.0),
    }


def _pairs(label: str, rail: str, rate: float, floor: float) -> Answer:
    """Two pairs of four nodes, of which the machine is the first."""
    names = ["gpu-1", "gpu-2", "gpu-3", "gpu-4"]
    pairs = (Pair("gpu-1", "gpu-2"), Pair("gpu-3", "gpu-4"), Pair("gpu-3", "gpu-1"))
    return answer(label, "gpu-1", names, [Measured(each, rail, rate, floor) for each in pairs])


def _probe() -> str:
    gpus = [
        {"name": "NVIDIA H100 80GB HBM3", "memory_gbps": 2905.5 + n, "bf16_tflops": 701.5 + n}
        for n in range(GPUS)
    ]
    return json.dumps({"torch": "2.9.0", "gpus": gpus}, indent=1)


def _copies() -> str:
    host = [[f"{55.3 + n / 100:.2f}" for n in range(GPUS)]]
    peer = [["N/A" if n == m else "388.5" for n in range(GPUS)] for m in range(GPUS)]
    cases = {
        "host_to_device_memcpy_ce": host,
        "device_to_host_memcpy_ce": host,
        "device_to_device_memcpy_read_ce": peer,
    }
    tests = [
        {"name": name, "status": "Passed", "bandwidth_matrix": matrix}
        for name, matrix in cases.items()
    ]
    return json.dumps({"nvbandwidth": {"version": "v0.8", "testcases": tests}})


def _all_reduce() -> str:
    size = commands.ALL_REDUCE_BYTES
    row = f"{size} {size // 4} float sum -1 31250 274.88 481.04 0 31248 274.90 481.07 0"
    return f"# nThread 1 nGpus 8\n  {row}\n# Out of bounds values : 0 OK\n"


def _burn() -> str:
    samples = [
        f"sample {address}, {690 + n}.10, {60 + n}, 1650, 0x0000000000000004"
        for n, address in enumerate(ADDRESSES)
    ]
    verdicts = [f"\tGPU {n}: OK" for n in range(GPUS)]
    return "\n".join(["burning", *samples, f"Tested {GPUS} GPUs:", *verdicts, ""])


def _dcgm() -> str:
    names = ("software", "memory", "pcie")
    tests = [{"name": name, "results": [{"status": "Pass"}]} for name in names]
    return json.dumps({"DCGM Diagnostic": {"test_categories": [{"tests": tests}]}})
