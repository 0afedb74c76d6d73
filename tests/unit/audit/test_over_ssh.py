"""The whole command against a real sshd: the process, the connection, the exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Project = Callable[[str], Path]
LONG = 100_000  # more than an SSH channel's first window, so that sending has to wait for the node

CHECKS = f"""
@check("demo-root-exists", "there is a root folder", severity=CRITICAL, remedy="reinstall")
def root(host, demo):
    assert host.file("/").is_directory and host.file("/").user == "root", "no root folder."

@check("demo-kernel-linux", "the kernel is Linux", severity=CRITICAL, remedy="reinstall")
def kernel(host, demo):
    assert host.check_output("uname -s") == "Linux", "it is something else."

@check("demo-script-long", "a long script arrives whole", severity=ERROR, remedy="shorten it")
def long(host, demo):
    said = host.run("printf %s " + {LONG} * "x").stdout
    assert len(said) == {LONG}, f"{{len(said)}} bytes came back."
"""


def flightline(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flightline", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "FLIGHTLINE_PROJECT": str(folder)},
    )


def inventory(folder: Path, **nodes: Any) -> str:
    path = folder / "nodes.py"
    path.write_text(f"nodes = {list(nodes.items())!r}\n")
    return path.name


@pytest.fixture
def folder(project: Project) -> Path:
    return project(CHECKS)


def test_a_first_audit_of_several_nodes_takes_one_command_each(
    folder: Path, make_sshd: Any
) -> None:
    sshd = make_sshd("LogLevel VERBOSE")
    names = inventory(folder, one=sshd.data, two=sshd.data)
    done = flightline(folder, "audit", names, "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert [node["name"] for node in report["nodes"]] == ["one", "two"]
    assert [node["remote_commands"] for node in report["nodes"]] == [1, 1]
    # sshd's own count of what it was asked, at LogLevel VERBOSE
    assert (sshd.folder / "log").read_text().count("Starting session: command") == 2
    replayed = flightline(folder, "audit", "--from", report["run"]["recording"])
    assert replayed.returncode == 0, replayed.stderr


def test_a_node_that_is_down_leaves_the_others_judged(folder: Path, sshd: Any) -> None:
    down = {**sshd.data, "ssh_port": 1}
    done = flightline(folder, "audit", inventory(folder, down=down, up=sshd.data))
    assert done.returncode == 2
    lines = done.stdout.splitlines()
    assert next(line for line in lines if line.startswith("down ")).count("unknown: ") == 1
    assert any(line.split()[:2] == ["up", "GO"] for line in lines)
    assert lines[-1].startswith("UNDECIDED: 0 no-go, 1 undecided of 2 nodes (down)")
    assert "Traceback" not in done.stderr
