"""A small project of its own, whose nodes are names for a real sshd on this computer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]

FILES = {
    "deploy.py": """
from pyinfra import host
from flightline.settings import declared
from roles.alpha import alpha
from roles.alpha.settings import AlphaSettings
from roles.beta import beta

if host.data.get("broken_at_prepare"):
    raise RuntimeError("a mistake for one host")
alpha(declared(host.data, "alpha", AlphaSettings))
beta()
""",
    "group_data/all.py": """
from roles.alpha.settings import AlphaSettings
alpha = AlphaSettings(text="hello")
""",
    "roles/__init__.py": "",
    "roles/alpha/__init__.py": """
from pyinfra import host
from pyinfra.api.deploy import deploy
from pyinfra.operations import files, server
from roles.alpha.operations import odd

@deploy("Alpha")
def alpha(settings):
    files.directory(name="Make the folder", path=host.data.target)
    files.line(name="Write the text", path=host.data.target + "/alpha", line=settings.text)
    if host.data.get("trouble"):
        odd(name="Meet trouble", how=host.data.trouble)
""",
    "roles/alpha/operations.py": """
from pyinfra import host
from pyinfra.api.operation import operation
from pyinfra.api.facts import FactBase
from flightline.errors import NodeRefused

class Unreadable(FactBase):
    def command(self):
        return "echo 'E: Could not get lock /x. It is held by process 8 (apt)' >&2; exit 100"

@operation()
def odd(how):
    if how == "refuse":
        raise NodeRefused("has too little memory.")
    if how == "bug":
        raise ZeroDivisionError("a bug")
    if how == "fact":
        host.get_fact(Unreadable)
        yield "touch " + host.data.target + "/acted-on-a-default"
    if how == "full":
        yield "echo 'cp: error writing x: No space left on device' >&2; exit 1"
    if how == "slow":
        yield "cd " + host.data.target + "; touch begun; sleep 3; touch finished"
    if how == "hang-up":
        yield "kill $PPID; sleep 5"
""",
    "roles/alpha/settings.py": """
from flightline.settings import Settings
class AlphaSettings(Settings):
    text: str = "nothing"
    \"\"\"What is written.\"\"\"
""",
    "roles/beta/__init__.py": """
from pyinfra import host
from pyinfra.api.deploy import deploy
from pyinfra.operations import files

@deploy("Beta")
def beta():
    files.file(name="Make beta", path=host.data.target + "/beta")
""",
    "roles/beta/settings.py": """
from flightline.settings import Settings
class BetaSettings(Settings):
    pass
""",
}


@dataclass
class Project:
    """The project on disk, and its commands."""

    folder: Path
    server: dict[str, Any]

    def inventory(self, **nodes: dict[str, Any]) -> None:
        """Declare nodes, each with its own target folder."""
        lines = [
            repr((name, {**self.server, "target": str(self.folder / "nodes" / name), **data}))
            for name, data in nodes.items()
        ]
        self.write("inventories/here.py", "gpu = [\n" + ",\n".join(lines) + "\n]\n")

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def exists(self, path: str) -> bool:
        return (self.folder / "nodes" / path).exists()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        program, *rest = arguments
        command = [str(Path(sys.executable).parent / program), *rest]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYINFRA_PROGRESS": "off",
                "FLIGHTLINE_RUNS": "flightline-runs",
            },
        )

    def flightline(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._done(self.start("flightline", *arguments))

    def pyinfra(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._done(self.start("pyinfra", *arguments))

    def _done(self, process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
        out, err = process.communicate(timeout=90)
        assert "Traceback" not in out + err, out + err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def events(self) -> list[dict[str, Any]]:
        """Return the events of the newest run."""
        log = sorted((self.folder / "flightline-runs").glob("*-apply*/events.jsonl"))[-1]
        return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.fixture
def project(tmp_path: Path, sshd: Any) -> Project:
    made = Project(tmp_path / "project", sshd.data)
    for path, text in FILES.items():
        made.write(path, text)
    made.write("config.py", (ROOT / "config.py").read_text())
    (made.folder / "nodes").mkdir()
    return made
