"""Real nodes for tests: a lab of the tests' own, so that nobody's running nodes are touched.

A computer that cannot run the lab fails these tests; it does not skip them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FLIGHTLINE = (sys.executable, "-m", "flightline")
UP_SECONDS = (
    1800  # an image and its template: 2 minutes on 2 idle cores, emulated; crowded far more
)
NODE_SECONDS = 600


@dataclass(frozen=True)
class LabNode:
    """A running node, entered by the plain ssh client: an oracle beside the code under test."""

    name: str
    port: int
    access_key: Path
    known_hosts: Path

    def ssh(self, command: str, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        """Run a command as the node's operator; return its status and output."""
        options = [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "ConnectTimeout=60",
            "ServerAliveInterval=15",
        ]
        options += ["IdentitiesOnly=yes", f"UserKnownHostsFile={self.known_hosts}"]
        line = ["ssh", "-F", "/dev/null", "-i", str(self.access_key), "-p", str(self.port)]
        line += [part for option in options for part in ("-o", option)]
        return subprocess.run(
            [*line, "flightline@127.0.0.1", command],
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip

    def output(self, command: str, seconds: float = 180) -> str:
        """Return what a command prints; fail where it fails."""
        done = self.ssh(command, seconds)
        assert done.returncode == 0, f"{self.name}: {command}: {done.stderr}"
        return done.stdout.strip()


@dataclass(frozen=True)
class Lab:
    """The tests' lab, driven by the command that a person would type."""

    state: Path

    def run(self, *arguments: str, seconds: float = UP_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run `flightline lab` with the arguments; return its status and output."""
        return subprocess.run(
            [*FLIGHTLINE, "lab", *arguments],
            env={**os.environ, "FLIGHTLINE_LAB_STATE": str(self.state)},
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip

    def status(self) -> list[dict[str, Any]]:
        """Return the nodes as `lab status --format json` gives them."""
        nodes: list[dict[str, Any]] = json.loads(self.run("status", "--format", "json").stdout)
        return nodes

    def nodes(self, count: int) -> tuple[LabNode, ...]:
        """Return the first nodes, brought up where they do not run."""
        done = self.run("up", "--nodes", str(count))
        assert done.returncode == 0, done.stderr
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        key, known = cache / "flightline/lab/access_key", self.state / "known_hosts"
        return tuple(LabNode(n["name"], n["ssh_port"], key, known) for n in self.status())[:count]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Give the tests' lab, empty at first; every node of it is gone afterwards."""
    tests_lab = Lab(tmp_path_factory.mktemp("lab"))
    yield tests_lab
    tests_lab.run("down", seconds=NODE_SECONDS)


@pytest.fixture(scope="session")
def two_nodes(lab: Lab) -> tuple[LabNode, ...]:
    """Give two running bookworm nodes."""
    return lab.nodes(2)


@pytest.fixture
def lab_node(lab: Lab, two_nodes: tuple[LabNode, ...]) -> LabNode:
    """Give a bookworm node, freshly reset, for one test to do with as it likes."""
    done = lab.run("reset", two_nodes[0].name, seconds=NODE_SECONDS)
    assert done.returncode == 0, done.stderr
    return lab.nodes(2)[0]


@pytest.fixture(scope="session")
def light_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Give a lab for light nodes; they take root, so without it skip, and say so."""
    if os.geteuid() != 0:
        pytest.skip("light nodes need root; run the tests as root")
    if shutil.which("systemd-nspawn") is None:
        pytest.skip("light nodes take systemd-nspawn; install systemd-container")
    lab = Lab(tmp_path_factory.mktemp("light"))
    yield lab
    gone = lab.run("down", seconds=NODE_SECONDS)
    assert gone.returncode == 0, gone.stderr
