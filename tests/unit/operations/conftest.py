"""A bundle on this computer: the node's own commands, run by each POSIX shell that is here."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flightline.operations.bundle import Hook, Item, Link, Merge
from flightline.operations.bundle.plan import plan_of
from flightline.operations.bundle.script import command
from flightline.operations.bundle.state import BundleState, Found

ME = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}
"""The owner of this process: only root can give a file away."""

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


@dataclass
class Outcome:
    """What one run of a bundle did."""

    changed: bool
    rc: int = 0
    sentence: str = ""


@dataclass
class Sandbox:
    """A folder that stands for a node: `files` holds its files, `home` what Flightline keeps."""

    files: Path
    home: Path
    shell: list[str]
    environment: dict[str, str] = field(default_factory=dict)

    def state(self, items: Sequence[Item], hooks: Sequence[Hook] = ()) -> Found:
        script = BundleState().command(
            tuple(item.path for item in items),
            [n for n, item in enumerate(items) if isinstance(item, Merge)],
            [n for n, item in enumerate(items) if isinstance(item, Link)],
            [hook.key for hook in hooks],
            str(self.home),
        )
        done = self._run(script, "")
        assert done.returncode == 0, done.stderr
        return BundleState().process(done.stdout.splitlines())

    def converge(self, items: Sequence[Item], hooks: Sequence[Hook] = ()) -> Outcome:
        plan = plan_of(items, hooks, self.state(items, hooks))
        if not plan.changes and not plan.hooks:
            return Outcome(changed=False)
        sent = command(plan, str(self.home))
        done = self._run(sent.get_raw_value(), sent.connector_arguments["_stdin"])
        return Outcome(True, done.returncode, done.stderr.strip())

    def leftovers(self) -> list[str]:
        """Return what a run should have cleaned up: staging, markers, temporary files."""
        return sorted(
            [str(path) for path in self.home.glob("bundle.*")]
            + [str(path) for path in self.home.glob("pending/*")]
            + [str(path) for path in self.files.rglob(".*.flightline.*")]
        )

    def _run(self, script: str, given: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.shell, "-c", script],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            env={**os.environ, **self.environment},
        )


@pytest.fixture(params=SHELLS)
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """Return an empty node for each shell; with BusyBox, all its tools are BusyBox's too."""
    files = tmp_path / "node"
    files.mkdir()
    if request.param != "busybox":
        return Sandbox(files, tmp_path / "home", [request.param])
    tools = tmp_path / "tools"
    tools.mkdir()
    busybox = str(shutil.which("busybox"))
    subprocess.run([busybox, "--install", "-s", str(tools)], check=True)
    return Sandbox(files, tmp_path / "home", [busybox, "sh"], {"PATH": str(tools)})
