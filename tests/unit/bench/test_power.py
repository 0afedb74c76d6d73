"""The draw of a node's GPUs, read from a node over real SSH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flightline.bench.power import sampled, watts


def test_gpus_are_added() -> None:
    assert watts(["0, 100.0", "1, 300.5", ""]) == 400.5


@pytest.mark.parametrize("said", [["0, [N/A]"], ["0, 70.1", "1, [N/A]"], ["no devices"], [], [""]])
def test_a_gpu_that_cannot_tell_leaves_the_draw_unknown(said: list[str]) -> None:
    assert watts(said) is None


def test_nodes_are_asked_until_it_is_over_and_each_sample_has_its_moment() -> None:
    rounds = iter([False, False, True])
    said = {
        "a": SimpleNamespace(rc=0, stdout="0, 100.0\n1, 50.0\n"),
        "cpu": SimpleNamespace(rc=3, stdout=""),
        "silent": TimeoutError("no end after 20 s"),
        "broken": SimpleNamespace(rc=9, stdout="NVIDIA-SMI has failed\n"),
    }
    began = time.monotonic()
    found = sampled(lambda: said, ("away",), lambda: next(rounds))
    assert set(found) == {"a", "silent", "broken", "away"}
    assert [watts for _, watts in found["a"]] == [150.0, 150.0, 150.0]
    moments = [moment for moment, _ in found["a"]]
    assert began <= moments[0] <= moments[1] <= moments[2] <= time.monotonic()
    assert found["silent"] == found["broken"] == found["away"] == []


def test_a_node_is_read_over_ssh_until_the_input_ends(make_sshd: Any, tmp_path: Path) -> None:
    smi = tmp_path / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text('#!/bin/sh\n[ "$2" = --format=csv,noheader,nounits ] && echo "0, 71.50"\n')
    smi.chmod(0o755)
    sshd = make_sshd(f"SetEnv PATH={smi.parent}:/usr/bin:/bin:/usr/sbin:/sbin")
    (tmp_path / "roles").mkdir()
    (tmp_path / "deploy.py").write_text("")
    away = {**sshd.data, "ssh_port": 9}
    nodes = [("gpu-01", sshd.data), ("away", away)]
    (tmp_path / "nodes.py").write_text(f"nodes = {nodes!r}\n")
    with subprocess.Popen(
        [sys.executable, "-m", "flightline.bench.power", "nodes.py"],
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "FLIGHTLINE_PROJECT": str(tmp_path)},
    ) as process:  # fmt: skip
        assert process.stdout and process.stdout.readline() == "ready\n"
        ready = time.monotonic()
        time.sleep(2)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    samples = json.loads(said)["samples"]
    assert samples["away"] == []
    assert {watts for _, watts in samples["gpu-01"]} == {71.5}
    assert samples["gpu-01"][0][0] <= ready  # of this process's own clock
    assert sum(ready <= moment <= ready + 2 for moment, _ in samples["gpu-01"]) >= 2
