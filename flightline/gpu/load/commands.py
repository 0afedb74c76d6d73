"""Builds the commands of the acceptance; each refuses on a GPU that somebody uses."""

from __future__ import annotations

import shlex
from importlib import resources

BUSY = 75
"""Exit status of a command that did not run because a GPU is in use (sysexits.h, EX_TEMPFAIL)."""

NO_PROGRAM = 127
"""Exit status of a command whose program is neither on the node nor in the image."""

# The guard is part of each command: between a question and a load, somebody may start a job.
GUARD = f"""\
users=$(nvidia-smi --query-compute-apps=gpu_bus_id,pid,process_name --format=csv,noheader) || exit
if [ -n "$users" ]; then
    echo "a GPU is in use by $(echo "$users" | paste -sd ';' -)" >&2; exit {BUSY}
fi
"""
"""Ends a command where somebody uses a GPU, and where that cannot be told."""

# NVIDIA's own advice for its framework containers: memlock, stack (NVSentinel preflight.md).
# init: as process 1 a program ignores the signal that ends it.
_DOCKER = (
    "docker run --rm --init --pull never --network none --ipc host "
    "--ulimit memlock=-1 --ulimit stack=67108864 --gpus all --entrypoint"
)

LEAVES_NOTHING = """\
name=flightline-load-$$
trap 'docker kill "$name" >/dev/null 2>&1' EXIT
trap 'exit 143' HUP INT TERM
"""
"""Goes before a `docker run --name "$name"`: when the command is stopped, docker's own end does not
stop the container, which would go on loading the GPUs."""

ALL_REDUCE_BYTES = 8 * 1024**3
"""Fixed size at which busbw is judged: published figures are at 8 GiB (superbench, CoreWeave
nccl-tests, read 2026-11-20); an average over small sizes says nothing."""


def guarded(program: str, arguments: str, image: str | None) -> str:
    """Return the command: the node's own program, or the image's; never one from the internet."""
    run = f"exec {program} {arguments}"
    otherwise = f"echo '{program} is not installed' >&2; exit {NO_PROGRAM}"
    if image:
        name = shlex.quote(image)
        otherwise = (
            f"docker image inspect {name} >/dev/null || exit {NO_PROGRAM}\n"
            f'{LEAVES_NOTHING}{_DOCKER} {program} --name "$name" {name} {arguments}'
        )
    return f"{GUARD}if command -v {program} >/dev/null 2>&1; then {run}; fi\n{otherwise}"


def copies(image: str | None) -> str:
    """Return the command that measures host and peer copies: nvbandwidth, JSON on stdout."""
    tests = "host_to_device_memcpy_ce device_to_host_memcpy_ce device_to_device_memcpy_read_ce"
    return guarded("nvbandwidth", f"-j -t {tests}", image)


def all_reduce(gpus: int, image: str | None) -> str:
    """Return the command that measures all_reduce over all GPUs of the node: nccl-tests."""
    size = f"-b {ALL_REDUCE_BYTES} -e {ALL_REDUCE_BYTES}"
    return guarded("all_reduce_perf", f"{size} -g {gpus} -w 5 -n 20", image)


def burn(seconds: int, image: str | None) -> str:
    """Return the command that keeps the tensor cores at full power, and samples the GPUs at it."""
    run = guarded("gpu_burn", f"-tc {seconds}", image)
    sample = (
        "nvidia-smi --query-gpu=pci.bus_id,power.draw,temperature.gpu,clocks.sm,"
        "clocks_event_reasons.active --format=csv,noheader,nounits"
    )
    # two thirds in: GPUs are hot, and none has finished
    return (
        f"(sleep {seconds * 2 // 3}; echo; {sample} | sed 's/^/sample /') &\n"
        f"({run})\nstatus=$?\nwait\nexit $status"
    )


def diagnose(level: int) -> str:
    """Return the command that runs DCGM's own diagnostics, JSON on stdout."""
    return guarded("dcgmi", f"diag -r {level} -j", None)


def probe(image: str | None) -> str:
    """Return the command that measures memory bandwidth and the dense matrix rate with PyTorch."""
    script = resources.files("flightline.gpu.load").joinpath("torch_probe.py").read_text("utf-8")
    return guarded("python3", f"-c {shlex.quote(script)}", image)
