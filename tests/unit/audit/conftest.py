"""A project of its own with one made-up role, and this computer's shell as its node."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from flightline.audit import check as registry
from flightline.audit import live
from flightline.audit.answers import Answer
from flightline.audit.collect import Pace

SETTINGS = """
from flightline.settings import Settings

class DemoSettings(Settings):
    word: str = "hello"
"""

HEAD = """
from flightline.audit.check import *
from flightline.audit.check import check, not_applicable, unknown
"""


class Node:
    """What pyinfra calls a host, as far as the audit looks at it."""

    def __init__(self, name: str, **data: Any) -> None:
        self.name = name
        self.data = data


class Session:
    """A connected session whose nodes are shells on this computer."""

    def __init__(self, *nodes: Node, failed: Mapping[str, str] | None = None) -> None:
        self.hosts = list(nodes)
        self.failed = dict(failed or {})
        self.sent: list[str] = []

    def map(self, function: Callable[[Node], object]) -> dict[str, object]:
        return {node.name: function(node) for node in self.hosts}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """Write a project whose role `demo` has these checks, and enter it."""
    monkeypatch.setattr(registry, "REGISTRY", registry.REGISTRY)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("FLIGHTLINE_PROJECT", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_role(name)}
    before = dict(registry.REGISTRY)
    registry.REGISTRY.clear()

    def write(checks: str) -> Path:
        role = tmp_path / "roles" / "demo"
        role.mkdir(parents=True, exist_ok=True)
        (tmp_path / "deploy.py").touch()
        for package in (tmp_path / "roles", role):
            (package / "__init__.py").touch()
        (role / "settings.py").write_text(SETTINGS)
        (role / "checks.py").write_text(HEAD + checks)
        return tmp_path

    yield write
    for name in [name for name in sys.modules if _is_role(name)]:
        del sys.modules[name]
    sys.modules.update(kept)
    registry.REGISTRY.clear()
    registry.REGISTRY.update(before)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    """Return a session with one node, `node-1`; `sent` has every script that it was sent."""
    made = Session(Node("node-1"))

    def as_root(node: Node, script: str, pace: Pace) -> str:
        made.sent.append(script)
        done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=False)
        return done.stdout

    monkeypatch.setattr(live, "_as_root", as_root)
    return made


@pytest.fixture
def answering() -> Callable[[Mapping[str, str]], Callable[[Sequence[str]], dict[str, Answer]]]:
    """Make an `ask` of canned outputs; what is not canned ends with exit status 1."""

    def make(canned: Mapping[str, str]) -> Callable[[Sequence[str]], dict[str, Answer]]:
        def ask(commands: Sequence[str]) -> dict[str, Answer]:
            return {
                each: Answer(each, 0 if each in canned else 1, canned.get(each, "").encode())
                for each in commands
            }

        return ask

    return make


def _is_role(name: str) -> bool:
    return name == "roles" or name.startswith("roles.")
