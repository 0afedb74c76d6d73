"""A program that is stopped leaves no container on the GPUs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from flightline.acceptance import collective
from flightline.gpu.load import commands

DOCKER = """\
#!/bin/sh
echo "$*" >>"$CALLS"
case $1 in run) sleep 20 ;; esac
"""
NVIDIA_SMI = "#!/bin/sh\nexit 0\n"


def stopped(folder: Path, command: str) -> list[str]:
    """Start the command with a docker whose container goes on, stop it, return docker's calls."""
    for name, body in (("docker", DOCKER), ("nvidia-smi", NVIDIA_SMI)):
        (folder / name).write_text(body)
        (folder / name).chmod(0o755)
    calls = folder / "calls"
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "CALLS": str(calls)}
    with subprocess.Popen(
        ["sh", "-c", command], env=environment, start_new_session=True, stdin=subprocess.DEVNULL
    ) as running:
        seen(calls, "run --rm")
        os.killpg(running.pid, signal.SIGTERM)
    seen(calls, "kill ")
    return calls.read_text().splitlines()


def seen(calls: Path, text: str) -> None:
    """Wait until docker was called so."""
    until = time.monotonic() + 10
    while not (calls.exists() and text in calls.read_text()):
        assert time.monotonic() < until, f"docker was not called with {text!r}"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "command",
    [
        commands.guarded("all_reduce_perf", "-g 8", "site/nccl"),
        commands.burn(30, "site/burn"),
        collective.rank(0, 8, "10.0.0.1", "site/pytorch"),
    ],
    ids=["one node", "burn", "two nodes"],
)
def test_a_stopped_measurement_stops_its_container(tmp_path: Path, command: str) -> None:
    calls = stopped(tmp_path, command)
    (run,) = (call for call in calls if call.startswith("run "))
    name = run.partition("--name ")[2].split()[0]
    assert " --rm --init --pull never " in run
    assert calls[-1] == f"kill {name}"
