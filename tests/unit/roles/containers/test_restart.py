"""No restart of dockerd stops a container, with the helper or after it was taken away again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from flightline.templates import render
from roles.containers.operations import HELPER, engine_hooks
from roles.containers.settings import ContainersSettings
from tests.unit.roles.containers.conftest import MakeState

IDLE, BUSY, MUTE = "exit 0", "echo 0123456789ab", "echo 'Cannot connect' >&2; exit 1"
CASES = [
    ("active", IDLE, True),
    ("active", BUSY, False),
    ("active", MUTE, False),
    ("failed", MUTE, True),
]


def restarted(folder: Path, script: str, unit: str, docker: str) -> tuple[bool, str]:
    """Run the script where systemctl and docker are stand-ins; was docker restarted, what was said.

    + docker: what `docker ps` does; `docker info` never promises that containers survive
    """
    log, ok = folder / "log", 0 if unit == "active" else 3
    stubs = {
        "systemctl": f'echo "$*" >>{log}\ncase "$*" in *is-active*) echo {unit}; exit {ok} ;; esac',
        "docker": f'case $1 in ps) {docker} ;; esac',
        "sleep": "exit 0",
    }  # fmt: skip
    for name, body in stubs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    said = subprocess.run(
        ["sh", "-c", script, "sh", "restart"],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    done = "restart docker.service" in log.read_text().splitlines()
    assert done is (said.returncode == 0)
    return done, said.stderr


@pytest.mark.parametrize(("unit", "docker", "done"), CASES)
def test_the_helper_restarts_only_what_loses_no_container(
    tmp_path: Path, unit: str, docker: str, done: bool
) -> None:
    helper = render("containers/usr/local/lib/flightline/docker-config")
    was, said = restarted(tmp_path, helper, unit, docker)
    assert was is done
    assert len(said.splitlines()) == (0 if done else 1)
    assert ("does not answer" in said) is (unit == "active" and docker == MUTE)


@pytest.mark.parametrize(("unit", "docker", "done"), CASES)
def test_without_the_helper_neither_is_a_container_lost(
    tmp_path: Path, make_state: MakeState, unit: str, docker: str, done: bool
) -> None:
    """A first run that failed has taken its helper away, and runs the hook once more."""
    settings = ContainersSettings()
    hook = engine_hooks(make_state(settings), settings)[-1].command
    was, said = restarted(tmp_path, hook.replace(HELPER, str(tmp_path / "gone")), unit, docker)
    assert was is done
    assert len(said.splitlines()) == (0 if done else 1)
