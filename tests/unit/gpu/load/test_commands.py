"""A program that is stopped leaves no container on the GPUs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from importlib.util import find_spec
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


def guarded_by(folder: Path, nvidia_smi: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose program writes a file, beside an nvidia-smi of ours."""
    for name, body in (("nvidia-smi", nvidia_smi), ("loads", f"touch {folder}/loaded\n")):
        (folder / name).write_text(f"#!/bin/sh\n{body}")
        (folder / name).chmod(0o755)
    return subprocess.run(
        ["sh", "-c", commands.guarded("loads", "", None)],
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_loaded_while_a_gpu_is_in_use_and_every_user_is_named(tmp_path: Path) -> None:
    done = guarded_by(tmp_path, "echo 00:18, 812, vllm\necho 00:19, 813, vllm\n")
    assert done.returncode == commands.BUSY
    assert done.stderr == "a GPU is in use by 00:18, 812, vllm;00:19, 813, vllm\n"
    assert not (tmp_path / "loaded").exists()


def test_nothing_is_loaded_where_the_driver_cannot_say_who_uses_it(tmp_path: Path) -> None:
    assert guarded_by(tmp_path, "exit 9\n").returncode == 9
    assert not (tmp_path / "loaded").exists()


def test_an_idle_node_is_loaded(tmp_path: Path) -> None:
    assert guarded_by(tmp_path, "exit 0\n").returncode == 0
    assert (tmp_path / "loaded").exists()


@pytest.mark.skipif(bool(find_spec("torch")), reason="PyTorch is here: nothing is missing")
def test_the_probe_says_in_one_line_that_pytorch_is_missing(tmp_path: Path) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", commands.probe(None)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (commands.NO_PROGRAM, "PyTorch is not installed\n")
